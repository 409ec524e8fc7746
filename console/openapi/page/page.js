/**
 * A session's writes need its token beside the cookie; with a key (Authorize) there is none to add.
 *
 * @param {{ method?: string, headers: Record<string, string> }} request
 */
async function withCsrf(request) {
  const { headers, method = 'GET' } = request;
  if (method === 'GET' || headers['X-Api-Key'] || headers['X-CSRF-Token']) return request;
  const answer = await fetch('/api/session');
  const session = /** @type {{ signed_in?: boolean, csrf?: string }} */ (await answer.json());
  if (session.csrf !== undefined) headers['X-CSRF-Token'] = session.csrf;
  return request;
}

/** The document names the public address; it is tried at the one that this page came from, which may be another name of it. */
async function show() {
  const answer = await fetch('/api/openapi.json');
  const spec = /** @type {object} */ (await answer.json());
  // @ts-expect-error a page has one
  const { origin } = location;
  // @ts-expect-error it comes with the script before this one
  SwaggerUIBundle({
    spec: { ...spec, servers: [{ url: origin }] },
    dom_id: '#api',
    deepLinking: true,
    docExpansion: 'list',
    filter: true,
    tryItOutEnabled: true,
    persistAuthorization: false,
    validatorUrl: null,
    requestInterceptor: withCsrf,
  });
}

void show();
