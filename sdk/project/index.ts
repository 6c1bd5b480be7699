export { projectFlow, type ProjectEntry, type ProjectParameter } from './project-flow.ts';
