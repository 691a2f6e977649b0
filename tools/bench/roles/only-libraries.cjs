/** Loads the files that a service had loaded of its packages, and rests: the reference of a service's memory. */
process.env.UV_THREADPOOL_SIZE ??= '16';
const { files } = JSON.parse(require('node:fs').readFileSync(process.argv[2], 'utf8'));
for (const file of files) require(file);
setInterval(() => undefined, 2 ** 30);
process.stdout.write('loaded\n');
