module.exports = { ...require('../../jest.config.cjs') };
