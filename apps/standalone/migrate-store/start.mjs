// npm run migrate-store: installs and builds what is missing, then hands over to the built program.
import { build, checkNode, install } from '../start.mjs';

checkNode();
await install();
await build();
await import(new URL('../../../dist/apps/standalone/migrate-store/main.js', import.meta.url).href);
