import { KeyferryError } from '../../core/errors.ts'
import { flag } from './query.ts'
import type { Capability, OperationName } from './route.ts'

/** What a request wants of its path, from its method and `?list=`. Throws `unsupported_operation` for methods that are none of Vault's. */
export function operationOf(method: string, query: URLSearchParams): OperationName {
  switch (method) {
    case 'GET':
      return query.has('list') && flag(query, 'list') ? 'list' : 'read'
    case 'LIST':
      return 'list'
    case 'POST':
    case 'PUT':
      return 'write'
    case 'DELETE':
      return 'delete'
    case 'PATCH':
      return 'patch'
    default:
      throw unsupportedOperation()
  }
}

/** What is asked of a caller where no route says more, so that nobody learns which paths there are without a right to them. */
export function usualCapability(operation: OperationName): Capability {
  return operation === 'write' ? 'update' : operation
}

export function unsupportedOperation(): KeyferryError {
  return new KeyferryError('unsupported_operation', 'unsupported operation')
}

export function unsupportedPath(): KeyferryError {
  return new KeyferryError('unsupported_path', 'unsupported path')
}
