module.exports = { ...require('../../jest.config.cjs'), globalSetup: '<rootDir>/bundle.mjs' };
