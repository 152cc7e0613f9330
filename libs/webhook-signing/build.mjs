// node build.mjs: compiles src/ to dist/cjs and dist/esm, each with its types; --clean removes dist again.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
rmSync(dist, { recursive: true, force: true });
if (!process.argv.includes('--clean')) {
  const { default: ts } = await import('typescript');
  const shared = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts'],
    types: ['node'],
    strict: true,
    declaration: true,
    skipLibCheck: true,
    rootDir: join(here, 'src'),
  };
  const compile = (folder, options) => {
    const outDir = join(dist, folder);
    const program = ts.createProgram([join(here, 'src/index.ts')], { ...shared, ...options, outDir });
    const problems = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
    if (problems.length > 0) {
      throw new Error(ts.formatDiagnostics(problems, ts.createCompilerHost(shared)));
    }
    return outDir;
  };
  compile('cjs', { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext });
  const esm = compile('esm', { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler });
  // Node wants the extension in an ES module's imports; the sources, which are also CommonJS, have none.
  for (const file of readdirSync(esm)) {
    const text = readFileSync(join(esm, file), 'utf8');
    writeFileSync(join(esm, file), text.replaceAll(/(from ['"])(\.\/[^'"]+)(['"])/g, '$1$2.js$3'));
  }
  writeFileSync(join(esm, 'package.json'), '{ "type": "module" }\n');
}
