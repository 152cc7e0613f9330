export { holdsSealed, subjectIn } from './sealed-text';
export { SubjectKeys, type Opened } from './subject-keys';
export { destroying, PostgresKeyTable, type StoredKey } from './key-table';
export { MemoryKeyTable } from './memory-key-table';
export { resealed, sealedIn } from './sealed-values';
export { openThing } from './open-thing';
