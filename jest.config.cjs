// Shared by every project: tests run from the sources, other libraries are resolved through the
// "@sessions/source" condition, so a test never sees a stale build of its neighbour.
module.exports = {
  testEnvironment: 'node',
  runtime: require.resolve('./jest.runtime.cjs'),
  passWithNoTests: true,
  // For what hangs, not for what is slow: a loaded machine takes its time, and nothing here asserts how long.
  testTimeout: 60_000,
  testMatch: ['<rootDir>/src/**/*.spec.ts'],
  testEnvironmentOptions: { customExportConditions: ['@sessions/source', 'node', 'require', 'default'] },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } }],
  },
};
