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
      camera: 'Este navegador no puede usar la cámara. Prueba con uno actual.',
      microphone: 'Este navegador no puede usar el micrófono. Prueba con uno actual.',
      both: 'Este navegador no puede usar la cámara ni el micrófono. Prueba con uno actual.',
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
    'too-many-rooms': 'El servidor no puede abrir otra sala ahora. Se reintentará en un momento…',
    'rate-limited': 'Demasiados intentos en poco tiempo. Se reintentará en un momento…',
    'store-unavailable': 'El servidor no puede acceder a sus datos. Se reintentará en un momento…',
    'keys-unavailable': 'El servidor no puede comprobar las invitaciones ahora. Se reintentará en un momento…',
    internal: 'Se ha producido un error en el servidor. Reintentando…',
  },

  refusals: {
    'not-allowed': 'Solo un anfitrión puede hacer eso.',
    'last-host': 'Tiene que haber al menos un anfitrión. Haz anfitrión antes a otra persona.',
    'unknown-peer': 'Esa persona ya no está aquí.',
    'rate-limited': 'Demasiadas solicitudes. Espera un momento y vuelve a intentarlo.',
    other: 'No ha sido posible ahora mismo. Vuelve a intentarlo.',
  },

  endings: {
    left: { title: 'Has salido de la llamada', text: 'Tu cámara y tu micrófono están apagados.' },
    replaced: {
      title: 'Has entrado desde otra pestaña',
      text: 'Esta llamada sigue en otra pestaña o ventana. Cierra esta, o vuelve a entrar aquí.',
    },
    'room-full': {
      title: 'La sala está llena',
      text: 'Ahora no cabe nadie más. Inténtalo cuando alguien haya salido, o abre una sala nueva.',
    },
    'bad-room-name': {
      title: 'El nombre de la sala no es válido',
      text: 'El nombre de una sala tiene de 1 a 64 letras, cifras, «-» o «_», sin espacios.',
    },
    'room-locked': {
      title: 'La sala está bloqueada',
      text: 'Por ahora no puede entrar nadie más. Pide a un anfitrión que la desbloquee y vuelve a intentarlo.',
    },
    'passcode-needed': {
      title: 'Esta sala tiene contraseña',
      text: 'Pídesela a quien te ha invitado y vuelve a intentarlo.',
    },
    'wrong-passcode': {
      title: 'La contraseña no es correcta',
      text: 'Compruébala con quien te ha invitado y vuelve a intentarlo.',
    },
    'lobby-full': {
      title: 'Hay demasiadas personas esperando',
      text: 'La sala de espera está llena. Inténtalo dentro de un rato.',
    },
    denied: {
      title: 'No te han dejado entrar',
      text: 'Un anfitrión ha rechazado tu solicitud. Consúltalo con esa persona y vuelve a intentarlo.',
    },
    kicked: {
      title: 'Te han expulsado de la llamada',
      text: 'Te ha expulsado un anfitrión. Consúltalo con esa persona, o abre una sala nueva.',
    },
    'room-ended': {
      title: 'La llamada ha terminado',
      text: 'Un anfitrión la ha terminado para todos, o han salido todos.',
    },
    'too-many-rooms': {
      title: 'No hay más salas disponibles',
      text: 'El servidor ha alcanzado su límite de salas. Inténtalo dentro de un rato.',
    },
    'origin-refused': {
      title: 'Desde esta dirección no se puede llamar',
      text: 'El servidor no acepta llamadas desde la dirección que has abierto. Pide la correcta a quien lo administra.',
    },
    'token-missing': {
      title: 'Necesitas una invitación',
      text: 'Para entrar necesitas un enlace de invitación personal. Pide el tuyo a quien te ha invitado.',
    },
    'token-expired': {
      title: 'Tu enlace ha caducado',
      text: 'Era válido por un tiempo limitado. Pide uno nuevo a quien te ha invitado.',
    },
    'token-not-yet-valid': {
      title: 'Has llegado pronto',
      text: 'Tu enlace todavía no es válido. Inténtalo cuando vaya a empezar la llamada.',
    },
    'token-invalid': {
      title: 'Tu enlace no funciona',
      text: 'Puede que esté incompleto. Abre el enlace entero o pide uno nuevo.',
    },
    'token-wrong-room': {
      title: 'Tu enlace es para otra sala',
      text: 'Abre el enlace tal como lo recibiste, o pide uno para esta sala.',
    },
    'token-used': {
      title: 'Tu enlace ya se ha usado',
      text: 'Solo funciona una vez. Pide uno nuevo a quien te ha invitado.',
    },
    'store-unavailable': {
      title: 'El servidor no está disponible temporalmente',
      text: 'No puede acceder a sus datos y sigue reintentándolo. Inténtalo dentro de un rato.',
    },
    'keys-unavailable': {
      title: 'Tu enlace no se puede comprobar ahora',
      text: 'El servidor no puede conectar con el servicio que verifica los enlaces y sigue reintentándolo. Inténtalo dentro de un rato.',
    },
    'session-lost': {
      title: 'Se ha perdido la conexión',
      text: 'Se ha reiniciado una parte del servidor. Vuelve a entrar para seguir.',
    },
    draining: {
      title: 'El servidor se está reiniciando',
      text: 'Debería volver en un momento. Inténtalo de nuevo entonces.',
    },
    internal: {
      title: 'Algo ha fallado',
      text: 'El problema está en el servidor. Volver a intentarlo suele bastar.',
    },
    'rate-limited': {
      title: 'Demasiadas solicitudes',
      text: 'Se ha enviado demasiado en muy poco tiempo. Espera un momento y vuelve a intentarlo.',
    },
    'slow-consumer': {
      title: 'Tu conexión es demasiado lenta',
      text: 'Se han acumulado demasiados datos sin llegarte. Vuelve a entrar, si puedes con una red mejor.',
    },
    'join-timeout': {
      title: 'La conexión ha tardado demasiado',
      text: 'Se ha agotado el tiempo de espera del servidor. Vuelve a intentarlo.',
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
    title: 'Esta página no es compatible con el servidor',
    text: 'No han podido entenderse. Volver a intentarlo suele bastar; si no, recarga la página.',
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
    stun: 'Conexión directa con los demás (STUN)',
    'turn-udp': 'Retransmisión (TURN, UDP)',
    'turn-tcp': 'Retransmisión con un cortafuegos estricto (TURN, TCP)',
  },
  good: 'Funciona',
  held: 'Funciona, pero despacio: algo en el camino retrasa las respuestas.',
  site: 'El servidor rechaza esta página. Avisa a quien lo administra; desde aquí no puedes arreglarlo.',
  off: 'Está apagado',
  none: 'El servidor no lo ofrece',
  unknown: 'Solo se puede saber dentro de la llamada',
  bad: {
    camera: 'No funciona. Los demás no te verán; debajo de la imagen se explica qué hacer.',
    microphone: 'No funciona. Los demás no te oirán; debajo de la imagen se explica qué hacer.',
    websocket:
      'Tu red, o algo delante del servidor, la bloquea. Las llamadas funcionan por la conexión de reserva, algo más despacio.',
    http: 'No se puede conectar con el servidor. Revisa tu red o prueba con otra.',
    stun: 'Sin respuesta. Las llamadas necesitan retransmisión; si la red es restrictiva, pide que permitan UDP.',
    'turn-udp': 'Sin respuesta. Parece que aquí UDP está bloqueado; quizá funcione la retransmisión por TCP.',
    'turn-tcp': 'Sin respuesta. Si tampoco funciona nada de lo anterior, prueba con otra red, como la de tu teléfono.',
  },
  verdict: {
    good: 'Todo listo para una llamada.',
    fair: 'Las llamadas deberían funcionar, con una alternativa donde algo está bloqueado.',
    bad: 'Es probable que desde aquí no funcione una llamada. Prueba con otra red o desactiva la VPN.',
  },
};
