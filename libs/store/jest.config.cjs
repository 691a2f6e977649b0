// Most of the time these tests wait for processes of their own: a worker on every core, where jest would leave one free.
module.exports = { ...require('../../jest.config.cjs'), maxWorkers: '100%' };
