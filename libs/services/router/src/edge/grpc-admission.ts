/**
 * Who calls is asked before what they say is read: a message of 25 MiB costs time to decode, and a
 * stranger's is never decoded. What anybody may call (health, reflection) takes small messages only.
 */
import { ServerInterceptingCall } from '@grpc/grpc-js';
import type { Metadata, ServerInterceptor, ServiceDefinition, StatusObject, UntypedServiceImplementation } from '@grpc/grpc-js';

/** Largest message of a method that anybody may call, bytes: names of services and symbols. */
export const OPEN_MESSAGE_BYTES_MAX = 4096;

/** @param judge throws nothing; undefined: the call may go on. */
export function admission(judge: (path: string, peer: string, metadata: Metadata) => StatusObject | undefined): ServerInterceptor {
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            const refused = judge(path, call.getPeer(), metadata);
            if (refused === undefined) proceed(metadata);
            // Ends the stream: what comes on it after this is not looked at.
            else call.sendStatus(refused);
          },
        }),
    });
}

interface Extended {
  addService(service: ServiceDefinition, implementation: UntypedServiceImplementation): void;
}

/** A server to which services that anybody may call are added. */
export function openTo(server: Extended): Extended {
  return {
    addService(service, implementation) {
      const methods = Object.entries(service).map(([name, method]) => {
        const decode = method.requestDeserialize;
        const bounded = (bytes: Buffer): unknown => {
          if (bytes.length > OPEN_MESSAGE_BYTES_MAX) throw new RangeError(`a message of ${method.path} has at most ${String(OPEN_MESSAGE_BYTES_MAX)} bytes`);
          return decode(bytes);
        };
        return [name, { ...method, requestDeserialize: bounded }] as const;
      });
      server.addService(Object.fromEntries(methods), implementation);
    },
  };
}
