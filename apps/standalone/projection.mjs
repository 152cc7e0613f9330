// npm run projection: installs and builds what is missing, then hands over to the built program.
import { build, checkNode, install } from './start.mjs';

checkNode();
await install();
await build();
await import(new URL('../../dist/apps/projector/cli.js', import.meta.url).href);
