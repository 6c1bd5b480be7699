export * from './topology-driver.ts';
