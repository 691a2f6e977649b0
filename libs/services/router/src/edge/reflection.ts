/** gRPC reflection: what is served, described by the contracts and by the libraries that serve a part of it. */
import { loadSync } from '@grpc/proto-loader';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { protoPath as healthProto } from 'grpc-health-check';

/** Of the contracts; the others are libraries' own. */
export const SERVICE_NAME = 'sessions.v1.RouterService';
/** What is served, and where each is described: below `protoDir`, or in the library that serves it. */
const DESCRIBED: Readonly<Record<string, () => string>> = {
  [SERVICE_NAME]: () => 'sessions/v1/router.proto',
  'grpc.health.v1.Health': () => healthProto,
  'grpc.reflection.v1.ServerReflection': () => reflectionProto('v1'),
  'grpc.reflection.v1alpha.ServerReflection': () => reflectionProto('v1alpha'),
};
const reflectionProto = (version: string): string => require.resolve(`@grpc/reflection/build/proto/grpc/reflection/${version}/reflection.proto`);

/** By the directory of the contracts: reading them costs a quarter of a router's start, and they never change under it. */
const made = new Map<string, ReflectionService>();

/** @param protoDir directory of the contracts' .proto files */
export function reflectionOf(protoDir: string): ReflectionService {
  let reflection = made.get(protoDir);
  if (reflection === undefined) {
    const definition = loadSync(Object.values(DESCRIBED).map((fileOf) => fileOf()), { includeDirs: [protoDir] });
    reflection = new ReflectionService(eachFileOnce(definition), { services: Object.keys(DESCRIBED) });
    made.set(protoDir, reflection);
  }
  return reflection;
}

/**
 * Every message and service of a definition names all files of its package, and reflection decodes
 * whatever it is given: hundreds of times the same, nearly a second of a router's start.
 */
function eachFileOnce(definition: PackageDefinition): PackageDefinition {
  const seen = new Set<unknown>();
  return Object.fromEntries(
    Object.entries(definition).filter(([, { fileDescriptorProtos: files }]) => {
      const isNew = !seen.has(files);
      seen.add(files);
      return isNew;
    }),
  );
}
