module.exports = { ...require('../jest.config.cjs'), testMatch: ['<rootDir>/**/*.spec.ts'] };
