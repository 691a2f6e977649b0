/** `npm run bench [-- flags]`: set-up, then the measurements of `tools/bench`. */
import { setUp } from './setup.mjs';

setUp();
await import('./bench/main.mjs');
