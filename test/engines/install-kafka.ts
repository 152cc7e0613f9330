import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const VERSION = '4.1.0';
const CACHE = resolve(__dirname, '../../.cache/kafka');
export const JARS = join(CACHE, `jars-${VERSION}`);
/** Java's archive of the classes that a node loads. */
export const CLASSES = join(CACHE, `classes-${VERSION}.jsa`);

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>postledger</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency></dependencies>
</project>
`;

/** Maven Central is somebody else's: what does not come is asked for again. */
const TRIES = 3;

/** Fetches Apache Kafka from Maven Central, once; the jars stay in `.cache/kafka`. Installs Java and Maven when missing and root. */
export function installKafka(): void {
  if (existsSync(JARS)) return;
  for (const [command, debian] of [
    ['java', 'default-jre-headless'],
    ['mvn', 'maven'],
  ] as const) {
    if (runs(command)) continue;
    if (process.getuid?.() !== 0) throw new Error(`Kafka for the tests needs ${command}: install ${debian}.`);
    execFileSync('apt-get', ['install', '-y', '-q', debian], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'download-'));
  writeFileSync(join(folder, 'pom.xml'), POM);
  for (let tries = 1; ; tries++) {
    try {
      fetchJars(folder);
      break;
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
  renameSync(join(folder, 'jars'), JARS);
  rmSync(folder, { recursive: true, force: true });
}

function fetchJars(folder: string): void {
  execFileSync('mvn', ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${join(folder, 'jars')}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 300_000,
  });
}

const runs = (command: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
