/**
 * Jest's runtime, with each module compiled once in a process instead of once for each file of tests.
 *
 * Every file of tests still runs all its modules anew, in a context of its own: only what V8 makes of
 * a source text is kept, as it is between two contexts of any program that runs a `vm.Script` twice.
 * Compiling was a third of what a file cost before its first test.
 */
const vm = require('node:vm');

const compileEachTime = vm.compileFunction;

/** File -> the source it was compiled from, and the script. */
const compiled = new Map();

/** It loads ES modules through the runtime of the file of tests that compiled it, so it is not shared. */
const DYNAMIC_IMPORT = /\bimport\s*\(/;

vm.compileFunction = (source, parameters = [], options = {}) => {
  const { filename, parsingContext } = options;
  const isOfJest = parsingContext !== undefined && options.importModuleDynamically !== undefined && parameters[0] === 'module';
  if (!isOfJest || filename === undefined || filename.endsWith('.spec.ts') || source.startsWith('#!')) return compileEachTime(source, parameters, options);
  // The same file is compiled with other parameters for Jest's own modules.
  const name = `${parameters.join()} ${filename}`;
  let known = compiled.get(name);
  if (known === undefined || known.source !== source) {
    if (DYNAMIC_IMPORT.test(source)) return compileEachTime(source, parameters, options);
    // The wrapper has a line of its own, so that lines and columns in stacks stay what they are.
    known = { source, script: new vm.Script(`(function (${parameters.join()}) {\n${source}\n})`, { filename, lineOffset: -1 }) };
    compiled.set(name, known);
  }
  return known.script.runInContext(parsingContext);
};

module.exports = require('jest-runtime');
