/** Spanish: messages for errors and the end of a call. */
import type { Words } from './en.ts';

export const failures: Words['failures'] = {
  problems: {
    denied: {
      camera: 'Esta página no tiene permiso para usar la cámara.',
      microphone: 'Esta página no tiene permiso para usar el micrófono.',
      both: 'Esta página no tiene permiso para usar la cámara ni el micrófono.',
    },
    missing: {
      camera: 'No se ha encontrado ninguna cámara.',
      microphone: 'No se ha encontrado ningún micrófono.',
      both: 'No se han encontrado ni cámara ni micrófono.',
    },
    busy: {
      camera: 'Otro programa está usando la cámara. Ciérralo y vuelve a intentarlo.',
      microphone: 'Otro programa está usando el micrófono. Ciérralo y vuelve a intentarlo.',
      both: 'Otro programa está usando la cámara y el micrófono. Ciérralo y vuelve a intentarlo.',
    },
    gone: {
      camera: 'La cámara se ha desconectado, o esta página ya no puede usarla.',
      microphone: 'El micrófono se ha desconectado, o esta página ya no puede usarlo.',
      both: 'La cámara y el micrófono se han desconectado, o esta página ya no puede usarlos.',
    },
    insecure: {
      camera: 'Los navegadores solo dan acceso a la cámara en páginas seguras. Abre esta con https://.',
      microphone: 'Los navegadores solo dan acceso al micrófono en páginas seguras. Abre esta con https://.',
      both: 'Los navegadores solo dan acceso a la cámara y al micrófono en páginas seguras. Abre esta con https://.',
    },
    unsupported: {
      camera: 'Este navegador no puede usar la cámara. Uno actual, sí.',
      microphone: 'Este navegador no puede usar el micrófono. Uno actual, sí.',
      both: 'Este navegador no puede usar la cámara ni el micrófono. Uno actual, sí.',
    },
    broken: {
      camera: 'La cámara no ha arrancado. Vuelve a intentarlo o elige otra.',
      microphone: 'El micrófono no ha arrancado. Vuelve a intentarlo o elige otro.',
      both: 'La cámara y el micrófono no han arrancado. Vuelve a intentarlo o elige otros.',
    },
  },

  permissions: {
    chrome: 'Haz clic en el icono situado a la izquierda de la barra de direcciones, da permiso y actívalo aquí.',
    firefox:
      'Haz clic en el icono tachado situado a la izquierda de la barra de direcciones, quita el bloqueo y actívalo aquí.',
    safari:
      'Abre el menú de la página, a la izquierda de la barra de direcciones (o Safari › Ajustes › Sitios web), da permiso y actívalo aquí.',
    other: 'Da permiso en la barra de direcciones o en los ajustes del navegador y actívalo aquí.',
  },

  delays: {
    draining: 'El servidor se está reiniciando. Volverás en un momento…',
    'lobby-full': 'Hay demasiadas personas esperando para entrar. Se reintentará en un momento…',
    'too-many-rooms': 'El servidor no tiene sitio para otra sala. Se reintentará en un momento…',
    'rate-limited': 'Demasiados intentos en poco tiempo. Se reintentará en un momento…',
    'store-unavailable': 'El servidor no llega a su almacén de datos. Se reintentará en un momento…',
    'keys-unavailable': 'El servidor no puede comprobar las invitaciones ahora. Se reintentará en un momento…',
    internal: 'Se ha producido un error en el servidor. Reintentando…',
  },

  refusals: {
    'not-allowed': 'Solo un anfitrión puede hacer eso.',
    'last-host': 'Siempre tiene que quedar un anfitrión. Haz anfitrión antes a otra persona.',
    'unknown-peer': 'Esa persona ya no está aquí.',
    'rate-limited': 'Demasiado de una vez. Espera un momento.',
    other: 'No ha sido posible ahora mismo. Vuelve a intentarlo.',
  },

  endings: {
    left: { title: 'Has salido de la llamada', text: 'Tu cámara y tu micrófono están apagados.' },
    replaced: {
      title: 'Estás en la llamada en otro sitio',
      text: 'Esta llamada sigue en otra pestaña o ventana. Cierra esta, o vuelve a entrar aquí.',
    },
    'room-full': {
      title: 'La sala está llena',
      text: 'Ahora no cabe nadie más. Inténtalo cuando alguien haya salido, o abre una sala nueva.',
    },
    'bad-room-name': {
      title: 'Ese nombre de sala no sirve',
      text: 'El nombre de una sala tiene de 1 a 64 letras, cifras, «-» o «_», sin espacios.',
    },
    'room-locked': {
      title: 'La sala está bloqueada',
      text: 'Por ahora no puede entrar nadie más. Pide a un anfitrión que la desbloquee y vuelve a entrar.',
    },
    'passcode-needed': {
      title: 'Esta sala tiene contraseña',
      text: 'Pídesela a quien te ha invitado y vuelve a entrar con ella.',
    },
    'wrong-passcode': {
      title: 'La contraseña no es correcta',
      text: 'Compruébala con quien te ha invitado y vuelve a intentarlo.',
    },
    'lobby-full': {
      title: 'Hay demasiadas personas esperando',
      text: 'Ya no cabe nadie más en la cola para entrar. Inténtalo dentro de un rato.',
    },
    denied: {
      title: 'No te han dejado entrar',
      text: 'Un anfitrión de esta sala te ha rechazado. Pregúntale si era su intención y vuelve a pedir entrar.',
    },
    kicked: {
      title: 'Te han expulsado de la llamada',
      text: 'Lo ha decidido un anfitrión de la sala. Pregúntale si era su intención, o abre una sala nueva.',
    },
    'room-ended': {
      title: 'La llamada ha terminado',
      text: 'Un anfitrión la ha terminado para todos, o han salido todos.',
    },
    'too-many-rooms': {
      title: 'No hay sitio para otra sala',
      text: 'El servidor tiene todas las salas que puede mantener. Inténtalo dentro de un rato.',
    },
    'origin-refused': {
      title: 'Desde esta dirección no se puede llamar',
      text: 'El servidor no acepta llamadas desde la dirección que has abierto. Pide la correcta a quien lo administra.',
    },
    'token-missing': {
      title: 'Necesitas una invitación',
      text: 'En este servidor solo se entra con un enlace personal. Pide el tuyo a quien te ha invitado.',
    },
    'token-expired': {
      title: 'Tu enlace ha caducado',
      text: 'Era válido por un tiempo limitado. Pide uno nuevo a quien te ha invitado.',
    },
    'token-not-yet-valid': {
      title: 'Has llegado pronto',
      text: 'Tu enlace todavía no sirve. Inténtalo cuando vaya a empezar la llamada.',
    },
    'token-invalid': {
      title: 'Tu enlace no sirve',
      text: 'Quizá se haya cortado por el camino. Vuelve a abrirlo entero o pide uno nuevo.',
    },
    'token-wrong-room': {
      title: 'Tu enlace es para otra sala',
      text: 'Abre el enlace tal como lo recibiste, o pide uno para esta sala.',
    },
    'token-used': {
      title: 'Tu enlace ya se ha usado',
      text: 'Solo deja entrar una vez. Pide uno nuevo a quien te ha invitado.',
    },
    'store-unavailable': {
      title: 'El servidor no funciona por el momento',
      text: 'No llega a las salas que guarda. Lo reintenta por su cuenta; vuelve a entrar dentro de un rato.',
    },
    'keys-unavailable': {
      title: 'Tu enlace no se puede comprobar ahora',
      text: 'El servidor no llega al servicio que da fe de los enlaces. Lo reintenta por su cuenta; vuelve a entrar dentro de un rato.',
    },
    'session-lost': {
      title: 'El servidor ha perdido tu sitio',
      text: 'Algo se ha reiniciado en el servidor. Vuelve a entrar para seguir.',
    },
    draining: {
      title: 'El servidor se está reiniciando',
      text: 'Debería volver en un momento. Entra de nuevo entonces.',
    },
    internal: {
      title: 'Error en el servidor',
      text: 'No ha sido culpa tuya. Volver a entrar suele bastar.',
    },
    'rate-limited': {
      title: 'Demasiado rápido',
      text: 'Se ha enviado demasiado en muy poco tiempo. Espera un momento y vuelve a entrar.',
    },
    'slow-consumer': {
      title: 'Tu conexión se ha quedado atrás',
      text: 'Había demasiado esperando a llegarte. Vuelve a entrar, si puedes con una red mejor.',
    },
    'join-timeout': {
      title: 'La entrada ha tardado demasiado',
      text: 'El servidor ha esperado en vano a esta página. Vuelve a entrar.',
    },
    'too-long': {
      title: 'Ese mensaje era demasiado largo',
      text: 'El servidor ha cortado la llamada por un mensaje demasiado largo. Vuelve a entrar.',
    },
    'unknown-session': {
      title: 'Has estado fuera demasiado tiempo',
      text: 'La sala ya no te guarda el sitio. Vuelve a entrar para seguir.',
    },
    'events-gone': {
      title: 'Has estado fuera demasiado tiempo',
      text: 'Lo que te has perdido ya no se conserva. Vuelve a entrar para seguir.',
    },
    'unknown-peer': { title: 'Esa persona ha salido', text: 'Ya no está en la sala.' },
  },
  unfit: {
    title: 'Algo no encaja',
    text: 'Esta página y el servidor no se han entendido. Volver a entrar suele bastar; si no, recarga la página.',
  },
};

/** Results of the connection check. */
export const check: Words['check'] = {
  title: 'Comprobar la conexión',
  again: 'Comprobar otra vez',
  running: 'Comprobando…',
  parts: {
    camera: 'Cámara',
    microphone: 'Micrófono',
    websocket: 'Conexión rápida con el servidor (WebSocket)',
    http: 'Conexión de reserva con el servidor (HTTP)',
    stun: 'Camino directo hasta los demás (STUN)',
    'turn-udp': 'Alternativa para cortafuegos (TURN, UDP)',
    'turn-tcp': 'Alternativa para cortafuegos estrictos (TURN, TCP)',
  },
  good: 'Funciona',
  held: 'Funciona, pero despacio: algo retiene las respuestas por el camino.',
  site: 'El servidor rechaza esta página. Avisa a quien lo administra; desde aquí no puedes arreglarlo.',
  off: 'Está apagado',
  none: 'El servidor no lo ofrece',
  unknown: 'Solo se puede saber dentro de la llamada',
  bad: {
    camera: 'No funciona. Los demás no te verán; debajo de la imagen se explica qué hacer.',
    microphone: 'No funciona. Los demás no te oirán; debajo de la imagen se explica qué hacer.',
    websocket:
      'Tu red, o algo delante del servidor, la bloquea. Las llamadas funcionan por la conexión de reserva, algo más despacio.',
    http: 'No se puede llegar al servidor. Revisa tu red o prueba con otra.',
    stun: 'Sin respuesta. Las llamadas necesitan otro camino: si la red es estricta, pide que permitan UDP.',
    'turn-udp': 'Sin respuesta. Parece que aquí UDP está bloqueado; quizá sirva el camino por TCP.',
    'turn-tcp': 'Sin respuesta. Si tampoco funciona nada de lo anterior, prueba con otra red, como la de tu teléfono.',
  },
  verdict: {
    good: 'Todo listo para una llamada.',
    fair: 'Las llamadas deberían funcionar, con un camino de reserva donde algo está bloqueado.',
    bad: 'Es probable que desde aquí no funcione una llamada. Prueba con otra red o desactiva la VPN.',
  },
};
