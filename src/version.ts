import manifest from '../package.json' with { type: 'json' }

/** Keyferry's own version. (What clients are told about Vault's is the wire's affair: http/.) */
export const version: string = manifest.version
