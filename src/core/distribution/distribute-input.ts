import { invalid, KeyferryError } from '../errors.ts'
import type { CopyOptions, CopyRow, Repair } from '../store.ts'

/** A write to `kms/:kms/key/:key`. Beyond Vault: a chosen remote name, tags, and the times (seconds since 1970) of the cloud key. */
/** `repair`: what is done about drift; `report` unless told, and the one thing that can be changed later. */
export interface DistributeInput extends CopyOptions {
  purpose: string[]
  protection?: string
  name?: string
  repair?: Repair
}

/** Throws `invalid` where a copy is not what is asked for: it cannot be changed, or is being removed. */
export function checkSame(copy: CopyRow, wanted: CopyRow, input: DistributeInput): void {
  const given = (row: CopyRow) => JSON.stringify([row.protection, row.purposes, sorted(row.options)])
  if (copy.desired !== 'present')
    throw new KeyferryError('invalid', 'the key is being removed from this KMS: try again when it is gone')
  const sameName = input.name === undefined || input.name === copy.remoteName
  if (sameName && given(copy) === given(wanted)) return
  throw invalid(
    `the key is in this KMS already, with protection ${copy.protection} and purpose ${copy.purposes.join(',')}: these cannot be changed, remove the key there first`,
  )
}

function sorted(options: CopyOptions): unknown {
  const { tags, nameChosen: _, ...rest } = options
  return [Object.entries(rest).sort(), Object.entries(tags ?? {}).sort()]
}
