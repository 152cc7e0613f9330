import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

export function apiDocument(app: NestFastifyApplication): object {
  const config = new DocumentBuilder().setTitle('Postledger').setOpenAPIVersion('3.1.0').addBearerAuth().build();
  return SwaggerModule.createDocument(app, config);
}
