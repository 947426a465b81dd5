/** Makes one shape of every error that the API answers: `{code, message, help, details}`, from the errors table. */
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import { type ErrorCode, LogboomError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'

const HTTP_STATUS: Partial<Record<ErrorCode, number>> = {
  'LB-A001': 400,
  'LB-A002': 404,
  'LB-A003': 403,
  'LB-A004': 503,
  'LB-P001': 404,
  'LB-P002': 503,
  'LB-P003': 503,
  'LB-P005': 400,
  'LB-P008': 409,
  'LB-Q001': 400,
  'LB-Q002': 404,
  'LB-S007': 401,
}

export const ERROR_SCHEMA = {
  type: 'object',
  required: ['code', 'message', 'help', 'details'],
  properties: {
    code: { type: 'string', description: 'Stable; `logboom explain CODE` says more.' },
    message: { type: 'string' },
    help: { type: 'string', description: 'What to do.' },
    details: { type: 'object', additionalProperties: true, description: 'For LB-Q001 the `position` of the fault.' },
  },
} as const

/** Sends the error with the HTTP status of its code; 500 where it has none. */
export function answerError(reply: FastifyReply, error: LogboomError): FastifyReply {
  const { code, message, help, details } = error
  if (code === 'LB-S007') void reply.header('www-authenticate', 'Bearer realm="logboom"')
  return reply.code(HTTP_STATUS[code] ?? 500).send({ code, message, help, details })
}

function asLogboomError(error: FastifyError | LogboomError, log: Logger): LogboomError {
  if (error instanceof LogboomError) return error
  const status = error.statusCode ?? 500
  if (status < 500) return new LogboomError('LB-A001', { reason: error.message })
  log.error({ err: error }, 'a request failed')
  return new LogboomError('LB-A005', { reason: 'an internal error' }, { cause: error })
}

export function answerAllErrors(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler<FastifyError | LogboomError>((error, _request, reply) =>
    answerError(reply, asLogboomError(error, log)),
  )
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]!
    return answerError(reply, new LogboomError('LB-A002', { method: request.method, path: path.slice(0, 200) }))
  })
}
