#!/usr/bin/env node
'use strict';
// The command `openclaw`: one bundled file, loaded with nothing before it.
const BUNDLE = '../apps/cli/dist/main.js';
try {
  require.resolve(BUNDLE);
} catch {
  process.stderr.write('openclaw is not built yet: run "npm run setup" in its checkout.\n');
  process.exit(1);
}
require(BUNDLE);
