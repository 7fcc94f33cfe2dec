import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** What Linux tells of processes under /proc. */

/** User and system time of all threads since the start, in ms (the clock ticks a hundred times a second). */
export function cpuMs(pid: number): number {
  const { utime, stime } = statOf(`/proc/${pid}/stat`)
  return (utime + stime) * 10
}

/** VmRSS and its peak, in MiB. */
export function memoryMiB(pid: number): { resident: number; peak: number; anonymous: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  return { resident: field('VmRSS'), peak: field('VmHWM'), anonymous: field('RssAnon') }
}

/** How long after the pool was drawn on its filling begins, and how long it must be seen at rest. */
const fillBeginsMs = 1_300
const looks = 10
const lookEveryMs = 50

/**
 * Resolves when the gateway's pool of ready keys is full: when its threads of lowest priority, which fill it, have nothing to do. Their
 * CPU time would say less, since on a busy machine they hardly get any.
 */
export async function poolFull(pid: number): Promise<void> {
  await sleep(fillBeginsMs)
  for (let quiet = 0; quiet < looks; ) {
    quiet = fillThreads(pid).some(({ state }) => state === 'R') ? 0 : quiet + 1
    await sleep(lookEveryMs)
  }
}

/** Resolves when those threads have ended too, which they do after ten seconds without work. */
export async function atRest(pid: number): Promise<void> {
  await poolFull(pid)
  while (fillThreads(pid).length > 0) await sleep(100)
}

function fillThreads(pid: number): { state: string; nice: number }[] {
  const threads = readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    try {
      return [statOf(`/proc/${pid}/task/${task}/stat`)]
    } catch {
      // It ended meanwhile.
      return []
    }
  })
  return threads.filter(({ nice }) => nice === 19)
}

/** proc_pid_stat(5); fields are counted from the state, which follows the name in brackets. */
function statOf(file: string): { state: string; utime: number; stime: number; nice: number } {
  const text = readFileSync(file, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', utime: Number(fields[11]), stime: Number(fields[12]), nice: Number(fields[16]) }
}
