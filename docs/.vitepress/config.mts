// The site: guides, the API reference that TypeDoc writes to docs/api, and the papers on how it is built.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type DefaultTheme, defineConfig } from 'vitepress';

const guide: DefaultTheme.SidebarItem[] = [
  { text: 'Embedding lookups', link: '/guide/embedding-lookups' },
  { text: 'Memoised inference', link: '/guide/memoised-inference' },
  { text: 'What a cache saves', link: '/guide/savings' },
  { text: 'Money', link: '/MONEY' },
  { text: 'Adapters', link: '/guide/adapters' },
  { text: 'Weights and tables', link: '/WEIGHTS' },
  { text: 'Worker threads', link: '/guide/workers' },
  { text: 'Serving other processes', link: '/guide/serving' },
  { text: 'Redis behind it', link: '/TIER' },
  { text: 'Scaling', link: '/SCALING' },
  { text: 'The command line', link: '/CLI' },
  { text: 'Metrics', link: '/METRICS' },
  { text: 'Dashboard', link: '/DASHBOARD' },
  { text: 'Memory and views', link: '/guide/memory-and-views' },
  { text: 'What takes a view', link: '/guide/what-takes-a-view' },
  { text: 'Eviction', link: '/EVICTION' },
  { text: 'Fingerprints', link: '/FINGERPRINT' },
  { text: 'Tuning', link: '/guide/tuning' },
  { text: 'Benchmarks', link: '/guide/benchmarks' },
  { text: 'Security', link: '/SECURITY' },
  { text: 'Glossary', link: '/GLOSSARY' },
];

const papers: DefaultTheme.SidebarItem[] = [
  { text: 'Architecture', link: '/ARCHITECTURE' },
  { text: 'Threads and memory', link: '/THREADS-AND-MEMORY' },
  { text: 'Decisions', link: '/DECISIONS' },
  { text: 'Hacking', link: '/HACKING' },
];

/** Written by TypeDoc beside the reference. */
function apiItems(): DefaultTheme.SidebarItem[] {
  const file = fileURLToPath(new URL('../api/typedoc-sidebar.json', import.meta.url));
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
}

export default defineConfig({
  title: 'zerohop',
  description: 'The L0 tier for machine-learning inference in Node.js',
  cleanUrls: true,
  outDir: '../build/docs',
  cacheDir: '../build/docs-cache',
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/guide/embedding-lookups' },
      { text: 'API', link: '/api/' },
      { text: 'How it works', link: '/ARCHITECTURE' },
    ],
    sidebar: [
      { text: 'Guide', items: guide },
      { text: 'How it works', items: papers },
      { text: 'API', items: apiItems(), collapsed: true },
    ],
    search: { provider: 'local' },
    outline: [2, 3],
  },
});
