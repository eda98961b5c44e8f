/** Simplified Chinese: messages for errors and the end of a call. */
import type { Words } from './en.ts';

export const failures: Words['failures'] = {
  problems: {
    denied: {
      camera: '此页面未获准使用摄像头。',
      microphone: '此页面未获准使用麦克风。',
      both: '此页面未获准使用摄像头和麦克风。',
    },
    missing: {
      camera: '未找到摄像头。',
      microphone: '未找到麦克风。',
      both: '未找到摄像头和麦克风。',
    },
    busy: {
      camera: '摄像头正被其他程序使用。请关闭该程序后重试。',
      microphone: '麦克风正被其他程序使用。请关闭该程序后重试。',
      both: '摄像头和麦克风正被其他程序使用。请关闭该程序后重试。',
    },
    gone: {
      camera: '摄像头已被拔出，或不再允许此页面使用。',
      microphone: '麦克风已被拔出，或不再允许此页面使用。',
      both: '摄像头和麦克风已被拔出，或不再允许此页面使用。',
    },
    insecure: {
      camera: '浏览器只允许安全页面使用摄像头。请以 https:// 打开此页面。',
      microphone: '浏览器只允许安全页面使用麦克风。请以 https:// 打开此页面。',
      both: '浏览器只允许安全页面使用摄像头和麦克风。请以 https:// 打开此页面。',
    },
    unsupported: {
      camera: '此浏览器无法使用摄像头。请改用新版浏览器。',
      microphone: '此浏览器无法使用麦克风。请改用新版浏览器。',
      both: '此浏览器无法使用摄像头和麦克风。请改用新版浏览器。',
    },
    broken: {
      camera: '摄像头未能启动。请重试，或选择其他摄像头。',
      microphone: '麦克风未能启动。请重试，或选择其他麦克风。',
      both: '摄像头和麦克风未能启动。请重试，或选择其他设备。',
    },
  },

  permissions: {
    chrome: '请点击地址栏左端的图标，在那里允许，然后在此处打开。',
    firefox: '请点击地址栏左侧带斜线的图标，解除阻止，然后在此处打开。',
    safari: '请打开地址栏左端的页面菜单（或“Safari 浏览器”›“设置”›“网站”），在那里允许，然后在此处打开。',
    other: '请在地址栏或浏览器设置中允许，然后在此处打开。',
  },

  delays: {
    draining: '服务器正在重启。马上就好…',
    'lobby-full': '等待进入的人太多。稍后自动重试…',
    'too-many-rooms': '服务器暂时无法开设新房间。稍后自动重试…',
    'rate-limited': '短时间内尝试次数过多。稍后自动重试…',
    'store-unavailable': '服务器无法访问其数据。稍后自动重试…',
    'keys-unavailable': '服务器暂时无法验证邀请链接。稍后自动重试…',
    internal: '服务器出错了。正在重试…',
  },

  refusals: {
    'not-allowed': '只有主持人可以这样做。',
    'last-host': '至少要有一位主持人。请先将其他人设为主持人。',
    'unknown-peer': '此人已不在这里。',
    'rate-limited': '操作太频繁。请稍等片刻。',
    other: '暂时无法完成。请重试。',
  },

  endings: {
    left: { title: '你已离开通话', text: '摄像头和麦克风已关闭。' },
    replaced: {
      title: '你已从另一个标签页加入',
      text: '通话正在另一个标签页或窗口中继续。可以关闭此页，或在这里重新加入。',
    },
    'room-full': { title: '房间已满', text: '现在无法容纳更多人。请等有人离开后再试，或新建一个房间。' },
    'bad-room-name': {
      title: '此房间名称不可用',
      text: '房间名称由 1 到 64 个文字、数字、“-”或“_”组成，不能有空格。',
    },
    'room-locked': {
      title: '房间已锁定',
      text: '目前其他人无法加入。请让主持人解锁，然后重试。',
    },
    'passcode-needed': { title: '此房间需要密码', text: '请向邀请你的人索取密码，然后重试。' },
    'wrong-passcode': { title: '密码不正确', text: '请与邀请你的人核对，然后重试。' },
    'lobby-full': { title: '等待的人太多', text: '等候室已满。请过一会儿再试。' },
    denied: { title: '主持人未准许你进入', text: '如果这是误会，请联系主持人，然后重试。' },
    kicked: {
      title: '你被移出了通话',
      text: '主持人将你移出了通话。如果这是误会，请联系主持人，或新建一个房间。',
    },
    'room-ended': { title: '通话已结束', text: '主持人已为所有人结束通话，或所有人都已离开。' },
    'too-many-rooms': { title: '无法再开新房间', text: '服务器的房间数量已达上限。请过一会儿再试。' },
    'origin-refused': {
      title: '此地址不能用于通话',
      text: '服务器不接受来自你所打开地址的通话。请向服务器的管理者询问正确的地址。',
    },
    'token-missing': {
      title: '你需要邀请',
      text: '你需要专属邀请链接才能加入。请向邀请你的人索取。',
    },
    'token-expired': { title: '你的链接已过期', text: '链接只在一段时间内有效。请向邀请你的人索取新链接。' },
    'token-not-yet-valid': { title: '你来早了', text: '你的链接尚未生效。请在通话开始时再试。' },
    'token-invalid': {
      title: '你的链接无效',
      text: '链接可能不完整。请重新打开完整的链接，或索取新链接。',
    },
    'token-wrong-room': {
      title: '你的链接属于另一个房间',
      text: '请打开你收到的原始链接，或索取此房间的链接。',
    },
    'token-used': { title: '你的链接已被使用', text: '此链接只能使用一次。请向邀请你的人索取新链接。' },
    'store-unavailable': {
      title: '服务器暂时不可用',
      text: '服务器无法访问其数据，正在自动重试。请过一会儿再试。',
    },
    'keys-unavailable': {
      title: '暂时无法验证你的链接',
      text: '服务器无法访问用于验证链接的服务，正在自动重试。请过一会儿再试。',
    },
    'session-lost': { title: '你的连接已断开', text: '服务器的一部分已重启。重新加入即可返回。' },
    draining: { title: '服务器正在重启', text: '很快就会恢复。请稍后重试。' },
    internal: { title: '出错了', text: '这是服务器的问题。重试通常可以解决。' },
    'rate-limited': { title: '操作太快了', text: '短时间内发送的内容过多。请稍等片刻，然后重试。' },
    'slow-consumer': {
      title: '你的网络跟不上',
      text: '等待接收的数据过多。请重新加入，最好换一个更好的网络。',
    },
    'join-timeout': { title: '加入用时过长', text: '服务器等待此页面响应超时。请重试。' },
    'too-long': { title: '消息太长', text: '由于一条消息过长，服务器结束了你的通话。请重新加入。' },
    'unknown-session': { title: '你离开太久了', text: '房间已不再保留你的位置。重新加入即可返回。' },
    'events-gone': { title: '你离开太久了', text: '你错过的内容已不再保留。重新加入即可返回。' },
    'unknown-peer': { title: '此人已离开', text: '对方已不在房间里。' },
  },
  unfit: {
    title: '此页面与服务器不兼容',
    text: '双方未能正常通信。重试通常可以解决；如果不行，请刷新页面。',
  },
};

/** Results of the connection check. */
export const check: Words['check'] = {
  title: '连接检查',
  again: '重新检查',
  running: '正在检查…',
  parts: {
    camera: '摄像头',
    microphone: '麦克风',
    websocket: '到服务器的快速连接（WebSocket）',
    http: '到服务器的备用连接（HTTP）',
    stun: '与他人的直接连接（STUN）',
    'turn-udp': '中继（TURN，UDP）',
    'turn-tcp': '用于严格防火墙的中继（TURN，TCP）',
  },
  good: '正常',
  held: '可用，但较慢：途中有设备延迟了响应。',
  site: '服务器拒绝了此页面。请告知服务器的管理者，在你这边无法解决。',
  off: '已关闭',
  none: '服务器未提供',
  unknown: '加入通话后才能确认',
  bad: {
    camera: '无法使用。其他人看不到你；解决办法在画面下方。',
    microphone: '无法使用。其他人听不到你；解决办法在画面下方。',
    websocket: '被你的网络或服务器前端拦截。仍可通过备用连接通话，只是稍慢。',
    http: '无法连接服务器。请检查网络，或换一个网络。',
    stun: '没有响应。通话需要中继；如果网络管制严格，请申请放行 UDP。',
    'turn-udp': '没有响应。此处似乎拦截了 UDP；TCP 中继可能仍可用。',
    'turn-tcp': '没有响应。如果以上各项也不可用，请换一个网络，例如手机网络。',
  },
  verdict: {
    good: '一切就绪，可以通话。',
    fair: '应该可以通话，被拦截的部分会改用备用方式。',
    bad: '在这里可能无法通话。请换一个网络，或关闭 VPN。',
  },
};
