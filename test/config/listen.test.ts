import { expect, test } from 'vitest'
import { isLoopback } from '../../src/config/listen.ts'

test('only this machine can reach 127.0.0.0/8, ::1 and localhost, as they are and as in a URL', () => {
  for (const host of ['127.0.0.1', '127.255.255.254', '::1', '[::1]', 'localhost']) {
    expect([host, isLoopback(host)]).toEqual([host, true])
  }
  for (const url of ['http://127.1', 'http://[0:0:0:0:0:0:0:1]', 'http://LOCALHOST', 'http://0x7f000001']) {
    expect([url, isLoopback(new URL(url).hostname)]).toEqual([url, true])
  }
})

test('others can reach every other', () => {
  const others = ['', '0.0.0.0', '::', '[::]', '128.0.0.1', '127.0.0.1.example.com', '127.example', 'localhost.example']
  for (const host of [...others, '::2', '[::1', '10.0.0.1', 'keys.example.com', '1127.0.0.1', '127.0.0']) {
    expect([host, isLoopback(host)]).toEqual([host, false])
  }
})
