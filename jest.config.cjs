// Shared by every project: tests run from the sources, other libraries are resolved through the
// "@sessions/source" condition, so a test never sees a stale build of its neighbour.
module.exports = {
  testEnvironment: 'node',
  passWithNoTests: true,
  testMatch: ['<rootDir>/src/**/*.spec.ts'],
  testEnvironmentOptions: { customExportConditions: ['@sessions/source', 'node', 'require', 'default'] },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } }],
  },
};
