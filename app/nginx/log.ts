/** snippets/genkan-log.conf: the access log format, and the directive that uses it. */
import type { SiteSpec } from './site-spec.ts';

export const log = (): string => `\
# One JSON object a line, for each request. The default format would write the query, where a token may stand, and the page
# that linked here; this one leaves both out. Times are in seconds; what there was none of is empty or "-".
# (!) A WebSocket gets its line when it ends, which may be hours later; the app logs its beginning, under the same id.
# (!) nginx's error log names requests with their query, and no directive changes that.
# Lines are gathered for a tenth of a second and written at once; by default each takes a write of its own.
# (!) No other access_log may gather into the same file in another way.
# nginx 1.22 or later, in the http block. https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format
log_format genkan escape=json
    '{"time":"$time_iso8601","id":"$request_id","client":"$remote_addr","connection":$connection,"tls":"$ssl_protocol",'
    '"method":"$request_method","host":"$host","path":"$uri","protocol":"$server_protocol","status":"$status",'
    '"bytes":$body_bytes_sent,"seconds":$request_time,"app":"$upstream_addr","app_status":"$upstream_status",'
    '"app_connect":"$upstream_connect_time","app_header":"$upstream_header_time","app_seconds":"$upstream_response_time",'
    '"limit_req":"$limit_req_status","limit_conn":"$limit_conn_status","agent":"$http_user_agent"}';
`;

export const logged = ({ accessLog }: SiteSpec, condition = ''): string =>
  `access_log ${accessLog} genkan buffer=16k flush=100ms${condition};`;
