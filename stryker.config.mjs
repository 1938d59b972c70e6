// Mutation testing of the ledger: `npm run mutate`, or `npm run mutate -- -m packages/core/src/ledger/refund.ts` for one file.
// docs/mutation.md tells how to read it, and which mutants can not be told from the original.

export default {
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.mutate.config.ts', related: false },
  plugins: ['@stryker-mutator/vitest-runner', './stryker.config.mjs'],
  mutate: [
    'packages/core/src/ledger/**/*.ts',
    'packages/core/src/money.ts',
    'packages/core/src/price.ts',
    '!packages/core/src/**/*.test.ts',
  ],
  mutator: {
    // What is left changes amounts, comparisons and transitions. These would change words, shapes or how a file is written:
    // texts of errors and names of records (which the contract of stores and the chain hold), members of data that the
    // compiler asks for, patterns that have tests of their own, and callbacks that would not compile.
    excludedMutations: [
      'StringLiteral',
      'ObjectLiteral',
      'ArrayDeclaration',
      'Regex',
      'OptionalChaining',
      'ArrowFunction',
    ],
  },
  ignorers: ['assertions'],
  tsconfigFile: 'none',
  checkers: [],
  // Everyone's machine has something else to do too; a mutant that loops is ended by its timeout.
  concurrency: 1,
  timeoutMS: 20_000,
  incremental: true,
  incrementalFile: '.stryker/incremental.json',
  tempDirName: '.stryker-tmp',
  cleanTempDir: 'always',
  reporters: ['clear-text', 'json'],
  jsonReporter: { fileName: '.stryker/mutation.json' },
  clearTextReporter: { logTests: false, reportTests: false, allowEmojis: false },
  // Only what the tests of the ledger need is copied. The compiler's configuration is left out: its references lead to
  // packages that are not there.
  ignorePatterns: [
    '**/*',
    '!packages/{core,testkit}/src/**',
    '!packages/{core,testkit}/package.json',
    '!package.json',
    '!vitest.mutate.config.ts',
  ],
}

/** An assertion holds for every input, so turning it off changes nothing that a test could see. */
export const strykerPlugins = [
  {
    kind: 'Ignore',
    name: 'assertions',
    value: {
      shouldIgnore(path) {
        const isAssertion = path.isCallExpression() && path.node.callee.name === 'assert'
        return isAssertion ? 'an assertion that holds is not seen' : undefined
      },
    },
  },
]
