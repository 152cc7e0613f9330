type Swagger = typeof import('@nestjs/swagger');

const waiting: ((swagger: Swagger) => void)[] = [];

/**
 * A decorator of @nestjs/swagger that is applied once somebody asks for the document. That package is a sixth of all the files that a start
 * would read, and most processes are never asked.
 */
export function documented<D extends (...target: never[]) => void>(by: (swagger: Swagger) => D): D {
  const later = (...target: Parameters<D>) => void waiting.push((swagger) => by(swagger)(...target));
  return later as unknown as D;
}

/** @nestjs/swagger, which knows all that was documented so far. */
export async function swaggerOfAll(): Promise<Swagger> {
  const swagger = await import('@nestjs/swagger');
  for (const apply of waiting.splice(0)) apply(swagger);
  return swagger;
}
