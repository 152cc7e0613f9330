export * from './media/media.events';
export * from './operation/operation.events';
export * from './design/design.events';
export * from './asset/asset.events';
export * from './gallery/gallery.events';
export * from './content/content.events';
export * from './region/region.events';
