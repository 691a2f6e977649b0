'use strict';
/*
 * The start of the command: runs its bundle with the code that V8 compiled when it was built, which
 * saves a listing a third of its own time. The two files carry the hash of the bundle in their names,
 * so neither is ever used with another's other half; V8 itself refuses code of another version of itself.
 */
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');

const START = `${__dirname}/@START@`;

function compiled() {
  try {
    return readFileSync(`${START}.cache`);
  } catch {
    // Built without it: V8 compiles the bundle like any other file.
    return undefined;
  }
}

const script = new Script(readFileSync(`${START}.js`, 'latin1'), { filename: `${START}.js`, cachedData: compiled() });
script.runInThisContext()(exports, require, module, `${START}.js`, __dirname);
