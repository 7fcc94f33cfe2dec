import https from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { Finding } from '../../core/kms/provider.ts'
import type { Deadline } from './client.ts'
import type { Route } from './network.ts'
import { transportTrouble } from './transport.ts'

/** What one request without a token showed of a vault. */
export interface Reached {
  findings: Finding[]
  /** Of the challenge: the tenant that the vault belongs to. */
  tenantId: string | undefined
}

const dayMs = 86_400_000
/** Tokens are good from five minutes before to after their time, by the service's clock. */
const tolerableSkewMs = 60_000
const fatalSkewMs = 300_000

/**
 * Sends one request without a token, as every client of a vault begins: shows whether the host is reached, by which TLS, and what its
 * clock says. Gives only the finding when it was not reached. Never rejects.
 */
export async function checkTls(
  host: string,
  options: { agent: https.Agent; route: Route; serviceVersion: string; now: () => number },
  time: Deadline,
): Promise<Reached | Finding> {
  const path = `/keys?maxresults=1&api-version=${encodeURIComponent(options.serviceVersion)}`
  try {
    const started = options.now()
    const answer = await request(host, path, options.agent, time.signal)
    const took = options.now() - started
    const findings = [tlsFinding(host, answer, options.now()), clockFinding(answer.date, started + took / 2)]
    return { findings, tenantId: /authorization(?:_uri)?="[^"]*\/([^/"]+)\/?"/.exec(answer.challenge ?? '')?.[1] }
  } catch (error) {
    const { sentence, code } = time.signal.aborted
      ? { sentence: `${host} did not answer within ${time.timeoutMs / 1000} s`, code: 'ETIMEDOUT' }
      : transportTrouble(host, error, options.route)
    return {
      level: 'error',
      code: 'unreachable',
      message: `the vault was not reached: ${sentence}${code && !sentence.includes(code) ? ` (${code})` : ''}`,
      action: 'see that this machine may connect to it on port 443, directly or by the proxy that the operator names',
    }
  }
}

interface Answer {
  status: number
  date: string | undefined
  challenge: string | undefined
  protocol: string | null
  validTo: string | undefined
}

function request(host: string, path: string, agent: https.Agent, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = https.get({ host, path, agent, signal }, (response) => {
      // Read off at once: an agent that keeps connections takes the socket back with the last byte.
      const socket = response.socket as TLSSocket
      const answer = {
        status: response.statusCode ?? 0,
        date: response.headers.date,
        challenge: response.headers['www-authenticate'],
        protocol: socket.getProtocol(),
        // Empty where the session was resumed: then it was checked when it began.
        validTo: socket.getPeerCertificate().valid_to,
      }
      response.on('error', reject)
      response.on('end', () => resolve(answer))
      response.resume()
    })
    outgoing.on('error', reject)
  })
}

function tlsFinding(host: string, { status, protocol, validTo }: Answer, now: number): Finding {
  const until = validTo === undefined ? Number.NaN : Date.parse(validTo)
  const date = Number.isNaN(until)
    ? ''
    : `, its certificate is good until ${new Date(until).toISOString().slice(0, 10)}`
  const message = `${host} answers over ${protocol ?? 'TLS'} with a certificate that is trusted${date}`
  if (status >= 500) {
    return {
      level: 'warning',
      code: 'service_trouble',
      message: `${host} answered ${status}`,
      action: 'try again later',
    }
  }
  if (until - now < 14 * dayMs) {
    return {
      level: 'warning',
      code: 'tls_certificate_ends',
      message,
      action: 'see that whoever runs that host renews its certificate in time',
    }
  }
  return { level: 'ok', code: 'tls', message }
}

/** `date`: the answer's Date header, in whole seconds (RFC 9110, section 6.6.1); `now`: ms since 1970, in the middle of the request. */
export function clockFinding(date: string | undefined, now: number): Finding {
  const theirs = Date.parse(date ?? '')
  if (Number.isNaN(theirs)) return { level: 'info', code: 'clock_unknown', message: 'the vault does not tell its time' }
  const skew = now - theirs - 500
  const seconds = Math.round(Math.abs(skew) / 1000)
  if (Math.abs(skew) < tolerableSkewMs)
    return { level: 'ok', code: 'clock', message: `the clocks of this machine and the vault are ${seconds} s apart` }
  return {
    level: Math.abs(skew) < fatalSkewMs ? 'warning' : 'error',
    code: 'clock_skew',
    message: `the clock of this machine is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} that of the vault`,
    action: 'set the clock of this machine, and keep it set (NTP): beyond 300 s tokens are refused',
  }
}
