"""Output of a healthy and of a stranded ISATAP host in the languages of Windows, in the code page of their consoles."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple


class Language(NamedTuple):
    """Words of ``ipconfig /all``. ``page``: the console's code page."""

    page: str
    host: str
    ethernet: str
    tunnel: str
    suffix: str
    description: str
    physical: str
    dhcp: str
    no: str
    ipv6: str
    link: str
    ipv4: str
    preferred: str
    mask: str
    leased: str
    date: str
    gateway: str
    servers: str
    netbios: str
    on: str
    off: str


LANGUAGES = {
    "en": Language("cp437", "Host Name", "Ethernet adapter {}:", "Tunnel adapter {}:", "Connection-specific DNS Suffix",
        "Description", "Physical Address", "DHCP Enabled", "No", "IPv6 Address", "Link-local IPv6 Address",
        "IPv4 Address", "Preferred", "Subnet Mask", "Lease Obtained", "Monday, 23 November 2026 08:00:01",
        "Default Gateway", "DNS Servers", "NetBIOS over Tcpip", "enabled", "disabled"),
    "de": Language("cp850", "Hostname", "Ethernet-Adapter {}:", "Tunneladapter {}:",
        "Verbindungsspezifisches DNS-Suffix",
        "Beschreibung", "Physische Adresse", "DHCP aktiviert", "Nein", "IPv6-Adresse", "Verbindungslokale IPv6-Adresse",
        "IPv4-Adresse", "Bevorzugt", "Subnetzmaske", "Lease erhalten", "Montag, 23. November 2026 08:00:01",
        "Standardgateway", "DNS-Server", "NetBIOS über TCP/IP", "aktiviert", "deaktiviert"),
    "fr": Language("cp850", "Nom de l'hôte", "Carte Ethernet {} :", "Carte Tunnel {} :",
        "Suffixe DNS propre à la connexion", "Description", "Adresse physique", "DHCP activé", "Non", "Adresse IPv6",
        "Adresse IPv6 de liaison locale", "Adresse IPv4", "préféré", "Masque de sous-réseau", "Bail obtenu",
        "lundi 23 novembre 2026 08:00:01", "Passerelle par défaut", "Serveurs DNS", "NetBIOS sur Tcpip", "activé",
        "désactivé"),
    "es": Language("cp850", "Nombre de host", "Adaptador de Ethernet {}:", "Adaptador de túnel {}:",
        "Sufijo DNS específico para la conexión", "Descripción", "Dirección física", "DHCP habilitado", "no",
        "Dirección IPv6", "Vínculo: dirección IPv6 local", "Dirección IPv4", "Preferido", "Máscara de subred",
        "Concesión obtenida", "lunes, 23 de noviembre de 2026 8:00:01", "Puerta de enlace predeterminada",
        "Servidores DNS", "NetBIOS sobre TCP/IP", "habilitado", "deshabilitado"),
    "it": Language("cp850", "Nome host", "Scheda Ethernet {}:", "Scheda Tunnel {}:",
        "Suffisso DNS specifico per connessione", "Descrizione", "Indirizzo fisico", "DHCP abilitato", "No",
        "Indirizzo IPv6", "Indirizzo IPv6 locale rispetto al collegamento", "Indirizzo IPv4", "Preferenziale",
        "Subnet mask", "Lease ottenuto", "lunedì 23 novembre 2026 08:00:01", "Gateway predefinito", "Server DNS",
        "NetBIOS su TCP/IP", "abilitato", "disabilitato"),
    "pt": Language("cp850", "Nome do host", "Adaptador Ethernet {}:", "Adaptador de túnel {}:",
        "Sufixo DNS específico de conexão", "Descrição", "Endereço Físico", "DHCP Habilitado", "Não", "Endereço IPv6",
        "Endereço IPv6 de link local", "Endereço IPv4", "Preferencial", "Máscara de Sub-rede", "Concessão Obtida",
        "segunda-feira, 23 de novembro de 2026 08:00:01", "Gateway Padrão", "Servidores DNS", "NetBIOS em Tcpip",
        "habilitado", "desabilitado"),
    "nl": Language("cp850", "Hostnaam", "Ethernet-adapter {}:", "Tunnel-adapter {}:",
        "Verbindingsspec. DNS-achtervoegsel",
        "Beschrijving", "Fysiek adres", "DHCP ingeschakeld", "nee", "IPv6-adres", "Link-local IPv6-adres", "IPv4-adres",
        "voorkeur", "Subnetmasker", "Lease verkregen", "maandag 23 november 2026 08:00:01", "Standaardgateway",
        "DNS-servers", "NetBIOS via TCPIP", "ingeschakeld", "uitgeschakeld"),
    "sv": Language("cp850", "Värdnamn", "Ethernet-kort {}:", "Tunnelkort {}:", "Anslutningsspecifika DNS-suffix",
        "Beskrivning", "Fysisk adress", "DHCP aktiverat", "Nej", "IPv6-adress", "Länklokal IPv6-adress", "IPv4-adress",
        "Standard", "Nätmask", "Lånet erhölls", "den 23 november 2026 08:00:01", "Standard-gateway", "DNS-servrar",
        "NetBIOS över TCP/IP", "aktiverad", "inaktiverad"),
    "pl": Language("cp852", "Nazwa hosta", "Karta Ethernet {}:", "Karta tunelowa {}:",
        "Sufiks DNS konkretnego połączenia", "Opis", "Adres fizyczny", "DHCP włączone", "Nie", "Adres IPv6",
        "Adres IPv6 połączenia lokalnego", "Adres IPv4", "Preferowane", "Maska podsieci", "Dzierżawa uzyskana",
        "poniedziałek, 23 listopada 2026 08:00:01", "Brama domyślna", "Serwery DNS", "NetBIOS przez Tcpip", "włączony",
        "wyłączony"),
    "cs": Language("cp852", "Název hostitele", "Adaptér sítě Ethernet {}:", "Adaptér pro tunelové připojení {}:",
        "Přípona DNS podle připojení", "Popis", "Fyzická adresa", "Protokol DHCP povolen", "Ne", "Adresa IPv6",
        "Místní IPv6 adresa v rámci propojení", "Adresa IPv4", "Preferované", "Maska podsítě", "Zapůjčeno",
        "pondělí 23. listopadu 2026 8:00:01", "Výchozí brána", "Servery DNS", "Rozhraní NetBIOS nad protokolem TCP/IP",
        "povoleno", "zakázáno"),
    "hu": Language("cp852", "Állomásnév", "Ethernet-adapter {}:", "Alagútadapter {}:", "Kapcsolatspecifikus DNS-utótag",
        "Leírás", "Fizikai cím", "DHCP engedélyezve", "Nem", "IPv6-cím", "Hivatkozás-helyi IPv6-cím", "IPv4-cím",
        "Előnyben részesített", "Alhálózati maszk", "Bérleti jog kezdete", "2026. november 23. 8:00:01",
        "Alapértelmezett átjáró", "DNS-kiszolgálók", "NetBIOS TCP/IP felett", "engedélyezve", "letiltva"),
    "ru": Language("cp866", "Имя компьютера", "Адаптер Ethernet {}:", "Туннельный адаптер {}:",
        "DNS-суффикс подключения", "Описание", "Физический адрес", "DHCP включен", "Нет", "IPv6-адрес",
        "Локальный IPv6-адрес канала", "IPv4-адрес", "Основной", "Маска подсети", "Аренда получена",
        "23 ноября 2026 г. 8:00:01", "Основной шлюз", "DNS-серверы", "NetBios через TCP/IP", "включен", "отключен"),
    "el": Language("cp737", "Όνομα κεντρικού υπολογιστή", "Προσαρμογέας Ethernet {}:", "Προσαρμογέας διοχέτευσης {}:",
        "Επίθημα DNS συγκεκριμένης σύνδεσης", "Περιγραφή", "Φυσική διεύθυνση", "DHCP ενεργό", "Όχι", "Διεύθυνση IPv6",
        "Διεύθυνση IPv6 τοπικής σύνδεσης", "Διεύθυνση IPv4", "Προτιμώμενη", "Μάσκα υποδικτύου", "Εκχώρηση",
        "23 Νοεμβρίου 2026 8:00:01", "Προεπιλεγμένη πύλη", "Διακομιστές DNS", "NetBIOS μέσω Tcpip",
        "ενεργό", "ανενεργό"),
    "tr": Language("cp857", "Ana Bilgisayar Adı", "Ethernet bağdaştırıcısı {}:", "Tünel bağdaştırıcısı {}:",
        "Bağlantıya özgü DNS Soneki", "Açıklama", "Fiziksel Adres", "DHCP Etkin", "Hayır", "IPv6 Adresi",
        "Bağlantı Yerel IPv6 Adresi", "IPv4 Adresi", "Tercih Edilen", "Alt Ağ Maskesi", "Kira Alındı",
        "23 Kasım 2026 Pazartesi 08:00:01", "Varsayılan Ağ Geçidi", "DNS Sunucuları", "Tcpip üzerinden NetBIOS",
        "etkin", "devre dışı"),
    "ja": Language("cp932", "ホスト名", "イーサネット アダプター {}:", "Tunnel adapter {}:",
        "接続固有の DNS サフィックス", "説明",
        "物理アドレス", "DHCP 有効", "いいえ", "IPv6 アドレス", "リンクローカル IPv6 アドレス", "IPv4 アドレス", "優先",
        "サブネット マスク", "リース取得", "2026年11月23日 8:00:01", "デフォルト ゲートウェイ", "DNS サーバー",
        "NetBIOS over TCP/IP", "有効", "無効"),
    "zh": Language("cp936", "主机名", "以太网适配器 {}:", "隧道适配器 {}:", "连接特定的 DNS 后缀", "描述", "物理地址",
        "DHCP 已启用", "否", "IPv6 地址", "本地链接 IPv6 地址", "IPv4 地址", "首选", "子网掩码", "获得租约的时间",
        "2026年11月23日 8:00:01", "默认网关", "DNS 服务器", "TCPIP 上的 NetBIOS", "已启用", "已禁用"),
    "tw": Language("cp950", "主機名稱", "乙太網路卡 {}:", "通道介面卡 {}:", "連線特定 DNS 尾碼", "描述", "實體位址",
        "DHCP 已啟用", "否", "IPv6 位址", "連結-本機 IPv6 位址", "IPv4 位址", "偏好選項", "子網路遮罩", "租用取得",
        "2026年11月23日 上午 08:00:01", "預設閘道", "DNS 伺服器", "NetBIOS over Tcpip", "已啟用", "已停用"),
    "ko": Language("cp949", "호스트 이름", "이더넷 어댑터 {}:", "터널 어댑터 {}:",
        "연결별 DNS 접미사", "설명", "물리적 주소",
        "DHCP 사용", "아니요", "IPv6 주소", "링크-로컬 IPv6 주소", "IPv4 주소", "기본 설정", "서브넷 마스크",
        "임대 시작 날짜",
        "2026년 11월 23일 월요일 오전 8:00:01", "기본 게이트웨이", "DNS 서버", "Tcpip를 통한 NetBIOS", "사용",
        "사용 안 함"),
}  # fmt: skip
GUID = "isatap.{CA09D971-1111-2222-3333-03491AA7CB73}"


def cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _entry(label: str, value: str) -> str:
    dots = " .".join([""] * max(1, (36 - cells(label)) // 2))
    return f"   {label}{dots} : {value}".rstrip() if value else f"   {label}{dots} :"


def ipconfig(name: str, stranded: bool = False) -> str:
    """``stranded``: only a link-local address, and no gateway."""
    lang = LANGUAGES[name]
    mark = f"({lang.preferred})"
    ethernet = [
        (lang.suffix, "corp.example"), (lang.description, "Intel(R) 82574L"),
        (lang.physical, "00-50-56-AA-BB-CC"), (lang.dhcp, lang.no),
        (lang.link, f"fe80::1c2d:3e4f:5a6b:7c8d%12{mark}"), (lang.ipv4, f"10.0.1.30{mark}"),
        (lang.mask, "255.255.255.0"), (lang.leased, lang.date), (lang.gateway, "10.0.1.1"),
        (lang.servers, "10.0.0.10"), (lang.netbios, lang.on),
    ]  # fmt: skip
    tunnel = [
        (lang.suffix, ""), (lang.description, "Microsoft ISATAP Adapter"), (lang.physical, "00-00-00-00-00-00-00-E0"),
        (lang.dhcp, lang.no), *([] if stranded else [(lang.ipv6, f"fd12:3456:789a:1:0:5efe:10.0.1.30{mark}")]),
        (lang.link, f"fe80::5efe:10.0.1.30%15{mark}"),
        (lang.gateway, "" if stranded else "fe80::5efe:10.0.0.1%15"), (lang.servers, "10.0.0.10"),
        (lang.netbios, lang.off),
    ]  # fmt: skip
    lines = ["", "Windows IP", "", _entry(lang.host, "HELPDESK1"), "", lang.ethernet.format("Ethernet0"), ""]
    lines += [_entry(*pair) for pair in ethernet]
    lines += ["", lang.tunnel.format(GUID), "", *(_entry(*pair) for pair in tunnel), ""]
    return "\r\n".join(lines)


def wrapped(text: str, width: int = 80) -> str:
    """As a console of that width shows it, when its window is copied."""
    lines: list[str] = []
    for line in text.split("\r\n"):
        row = ""
        for character in line:
            if cells(row + character) > width:
                lines.append(row)
                row = ""
            row += character
        lines.append(row)
    return "\r\n".join(lines)
