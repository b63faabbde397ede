module.exports = { testEnvironment: 'node', testMatch: ['**/*.test.cjs'], transform: {}, watchman: false, maxWorkers: 1 };
