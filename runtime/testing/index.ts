export * from './topology-driver.ts';
export * from './test-runtime.ts';
