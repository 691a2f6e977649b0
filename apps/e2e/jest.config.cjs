// Every test here runs the built command; the global set-up builds it, so that none meets an old one.
module.exports = {
  ...require('../../jest.config.cjs'),
  globalSetup: '<rootDir>/../cli/bundle.mjs',
  // Processes are started and stopped, some of them many times.
  testTimeout: 60_000,
  maxWorkers: 2,
};
