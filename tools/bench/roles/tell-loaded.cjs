/** Loaded before a service: at its end, writes which files of packages it had loaded, in their order. */
const { writeFileSync } = require('node:fs');
const { sep } = require('node:path');
const { isMainThread } = require('node:worker_threads');

const isOfPackage = (file) => file.includes(`${sep}node_modules${sep}`);
if (isMainThread) process.on('exit', () => writeFileSync(process.env.BENCH_LOADED_FILE, JSON.stringify({ files: Object.keys(require.cache).filter(isOfPackage) })));
