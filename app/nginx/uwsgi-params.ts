/** snippets/genkan-uwsgi-params.conf: the request variables sent to the app over uwsgi. */
import { portOf, schemeOf } from './maps.ts';
import { prefixOf, type SiteSpec } from './site-spec.ts';

export const params = (spec: SiteSpec): string => `\
# The request variables that the app needs over uwsgi. By default nginx sends only headers and body; the uwsgi_params file of nginx
# lacks some of these, and Debian's version has HTTP_HOST $host, without the port. nginx 1.22 or later.
# https://nginx.org/en/docs/http/ngx_http_uwsgi_module.html#uwsgi_param

# The request. REQUEST_URI is as sent by the client, PATH_INFO is decoded and normalised; the app routes by REQUEST_URI${
  spec.base === '/' ? '.' : '\n# after removing SCRIPT_NAME, the path prefix.'
}
uwsgi_param REQUEST_METHOD  $request_method;
uwsgi_param REQUEST_URI     $request_uri;
uwsgi_param PATH_INFO       $document_uri;
${spec.base === '/' ? '' : `uwsgi_param SCRIPT_NAME     '${prefixOf(spec)}';\n`}uwsgi_param SERVER_PROTOCOL $server_protocol;
uwsgi_param CONTENT_TYPE    $content_type;
# (!) Without it the app cannot find the end of the body.
uwsgi_param CONTENT_LENGTH  $content_length;

# The client, and the scheme and host it requested.
uwsgi_param REMOTE_ADDR     $remote_addr;
uwsgi_param REMOTE_PORT     $remote_port;
uwsgi_param REQUEST_SCHEME  ${schemeOf(spec)};
uwsgi_param HTTP_HOST       $genkan_host;
${spec.trustedProxies.length > 0 ? `uwsgi_param SERVER_PORT     ${portOf(spec)};\n` : ''}
# The same request id in the logs of nginx and the app. https://nginx.org/en/docs/http/ngx_http_core_module.html#var_request_id
uwsgi_param HTTP_X_REQUEST_ID $request_id;

# (!) A client could forge these headers to claim another address or scheme. A value here overwrites the client's, an empty one
# removes it.
uwsgi_param HTTP_X_FORWARDED_FOR    $remote_addr;
uwsgi_param HTTP_X_FORWARDED_PROTO  ${schemeOf(spec)};
uwsgi_param HTTP_X_FORWARDED_HOST   $genkan_host;
uwsgi_param HTTP_X_FORWARDED_PORT   '';
uwsgi_param HTTP_X_FORWARDED_PREFIX '';
uwsgi_param HTTP_X_REAL_IP          $remote_addr;
uwsgi_param HTTP_FORWARDED          '';
# httpoxy: some HTTP clients take their proxy from this variable. https://httpoxy.org
uwsgi_param HTTP_PROXY              '';
# nginx has already decoded a chunked body; CONTENT_LENGTH is its length.
uwsgi_param HTTP_TRANSFER_ENCODING  '';
`;
