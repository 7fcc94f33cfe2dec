/**
 * What OpenBao does: main at 0d1817c (20 August 2026), unmodified, Go 1.26.8, keys of its transit engine, integrated storage (raft) on one
 * node, which like Keyferry has each write on the disk before it answers. Two cores of an AMD EPYC under KVM, 24 GiB, Linux 6.18, the
 * driver of load/ on the same two cores, loopback, no TLS; suite.sh with PROFILE=transit, medians of three runs. They move by 10 to 30 %
 * from run to run; the steadiest is CPU per request.
 */
export const openBao = {
  read: '0.11 ms (0.21 with audit)',
  lookupSelf: '0.12 ms (0.20 with audit)',
  list1000: '0.24 ms (2.17 with audit)',
  lifecycle: '345/s (312 with audit)',
  lifecycleCpu: '3.6 ms',
  createP256: '1,450/s',
  createAes: '1,655/s',
  createRsa2048: '42.3/s',
  createRsa2048Cpu: '43 ms',
  createRsa2048P99: '506 ms',
  start: '86 to 89 ms, still sealed',
  idle: '118 to 125 MiB',
  loaded: '684 to 862 MiB',
} as const
