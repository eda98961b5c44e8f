/** snippets/genkan-uwsgi-params.conf: the request variables sent to the app over uwsgi. */
import { portOf, schemeOf } from './maps.ts';
import { prefixOf, type SiteSpec } from './site-spec.ts';

export const params = (spec: SiteSpec): string => `\
# What the app learns about a request over uwsgi: what it uses and no more, since nginx sends nothing but headers and body by default,
# and the uwsgi_params file that comes with it lacks some of these, or has Debian's HTTP_HOST $host, without the port. nginx 1.22 or later.
# https://nginx.org/en/docs/http/ngx_http_uwsgi_module.html#uwsgi_param

# The request. REQUEST_URI is as the client wrote it, PATH_INFO is decoded and normalised; the app routes by REQUEST_URI${
  spec.base === '/' ? '.' : ', of which\n# it takes away SCRIPT_NAME, the path below which it lies.'
}
uwsgi_param REQUEST_METHOD  $request_method;
uwsgi_param REQUEST_URI     $request_uri;
uwsgi_param PATH_INFO       $document_uri;
${spec.base === '/' ? '' : `uwsgi_param SCRIPT_NAME     '${prefixOf(spec)}';\n`}uwsgi_param SERVER_PROTOCOL $server_protocol;
uwsgi_param CONTENT_TYPE    $content_type;
# (!) Without it the app cannot know where the body ends.
uwsgi_param CONTENT_LENGTH  $content_length;

# The client, and by which scheme and host it came.
uwsgi_param REMOTE_ADDR     $remote_addr;
uwsgi_param REMOTE_PORT     $remote_port;
uwsgi_param REQUEST_SCHEME  ${schemeOf(spec)};
uwsgi_param HTTP_HOST       $genkan_host;
${spec.trustedProxies.length > 0 ? `uwsgi_param SERVER_PORT     ${portOf(spec)};\n` : ''}
# The same id in nginx's log and in the app's. https://nginx.org/en/docs/http/ngx_http_core_module.html#var_request_id
uwsgi_param HTTP_X_REQUEST_ID $request_id;

# (!) A client may send these itself and so claim another address or scheme. A value here replaces the client's, an empty one
# removes it.
uwsgi_param HTTP_X_FORWARDED_FOR    $remote_addr;
uwsgi_param HTTP_X_FORWARDED_PROTO  ${schemeOf(spec)};
uwsgi_param HTTP_X_FORWARDED_HOST   $genkan_host;
uwsgi_param HTTP_X_FORWARDED_PORT   '';
uwsgi_param HTTP_X_FORWARDED_PREFIX '';
uwsgi_param HTTP_X_REAL_IP          $remote_addr;
uwsgi_param HTTP_FORWARDED          '';
# Some HTTP clients read a proxy to use from a variable of this name. https://httpoxy.org
uwsgi_param HTTP_PROXY              '';
# nginx has taken a chunked body apart already, and CONTENT_LENGTH says how long it is.
uwsgi_param HTTP_TRANSFER_ENCODING  '';
`;
