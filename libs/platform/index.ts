export {
  envExample,
  loadSettings,
  SettingsError,
  settingsReference,
  settingsSchema,
  type Mode,
  type Settings,
} from './config/settings';
export { ownEmbedded, reachEmbedded, startEmbedded, takeDataDir, type ReachedDatabase } from './reach-embedded';
export { openEngines, type Engines, type OpenOptions } from './engines';
export { Health, type PartHealth } from './health';
export { isEngineOutage } from './outage';
export { createLogger, type Logger } from './logger';
export { SecretBox, SecretBoxError } from './secret-box';
export { sparingly } from './sparingly';
export { Wake } from './wake';
export { writeWhole } from './write-whole';
export { ENGINES, PlatformModule } from './nest/platform.module';
export { fail, runApp, startApp, stopOnSignals, type AppDefinition, type RunningApp } from './nest/run-app';
