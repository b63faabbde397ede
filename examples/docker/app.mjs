// An application that keeps answers in the zerohop beside it, through a unix socket that both containers have.
//
//   GET /answer/<question>   the answer, and whether it was there already
//   GET /metrics             how many requests there were, for Prometheus
//
// Any Redis client does. ZH.SET also says what the answer cost, so that the cache keeps what is dear.
import { createServer } from 'node:http';
import { createClient } from 'redis';

const path = process.env.ZEROHOP_SOCKET ?? '/run/zerohop/zerohop.sock';
const client = await createClient({ socket: { path } })
  .on('error', (error) => console.error(`the cache: ${error.message}`))
  .connect();

/** Stands for what takes long: a model, or a service far away. */
async function compute(question) {
  await new Promise((done) => setTimeout(done, 100));
  return question.toUpperCase();
}

let requests = 0;
async function respond(request, response) {
  if (request.url === '/metrics')
    return response.end(`# TYPE app_requests_total counter\napp_requests_total ${requests}\n`);
  requests++;
  const question = decodeURIComponent(request.url.replace(/^\/answer\//, ''));
  const kept = await client.get(`answer:${question}`);
  if (kept !== null) return response.end(`${kept} (kept)\n`);
  const begun = performance.now();
  const answer = await compute(question);
  const cost = Math.round(performance.now() - begun);
  await client.sendCommand(['ZH.SET', `answer:${question}`, answer, 'PX', '3600000', 'COST', `${cost}`]);
  response.end(`${answer}\n`);
}

const server = createServer((request, response) => {
  respond(request, response).catch((error) => {
    console.error(`a request: ${error.message}`);
    response.statusCode = error instanceof URIError ? 400 : 500;
    response.end();
  });
});
server.listen(Number(process.argv[2] ?? 3000), () => console.log(`listening on ${server.address().port}`));

process.once('SIGTERM', () => {
  server.close(() => client.close());
  server.closeIdleConnections();
});
