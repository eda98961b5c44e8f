/** snippets/genkan-log.conf: the access log format, and the directive that uses it. */
import type { SiteSpec } from './site-spec.ts';

/** Variables of the log that a client chooses, and how many bytes of each are logged. */
const texts = { request_method: 32, host: 256, uri: 512, http_user_agent: 256 };

export const log = (): string => `\
# What a client chooses is cut: it may send 16 kB with each request, of which the log would store up to six times as much.
# https://nginx.org/en/docs/http/ngx_http_map_module.html
${Object.entries(texts)
  .map(([name, most]) => cut(name, most))
  .join('\n')}

# Access log in JSON, one object per line. Unlike the default format it omits the query string, which may contain a token, and the
# Referer header. Times are in seconds; missing values are empty or "-".
# (!) A WebSocket is logged when it ends, possibly hours later; the app logs its start with the same id.
# (!) nginx's error log contains query strings, and no directive changes that.
# Lines are buffered for a tenth of a second; by default each line is a separate write.
# (!) Any other access_log for the same file must use the same buffer and flush parameters.
# nginx 1.22 or later, in the http block. https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format
log_format genkan escape=json
    '{"time":"$time_iso8601","id":"$request_id","client":"$remote_addr","connection":$connection,"tls":"$ssl_protocol",'
    '"method":"$genkan_log_request_method","host":"$genkan_log_host","path":"$genkan_log_uri","protocol":"$server_protocol","status":"$status",'
    '"bytes":$body_bytes_sent,"seconds":$request_time,"app":"$upstream_addr","app_status":"$upstream_status",'
    '"app_connect":"$upstream_connect_time","app_header":"$upstream_header_time","app_seconds":"$upstream_response_time",'
    '"limit_req":"$limit_req_status","limit_conn":"$limit_conn_status","agent":"$genkan_log_http_user_agent"}';
`;

const cut = (name: string, most: number): string => `\
map $${name} $genkan_log_${name} {
    default '';
    "~(?s)^(?<genkan_cut_${name}>.{1,${most}})" $genkan_cut_${name};
}`;

export const logged = ({ accessLog }: SiteSpec, condition = ''): string =>
  `access_log ${accessLog} genkan buffer=16k flush=100ms${condition};`;
