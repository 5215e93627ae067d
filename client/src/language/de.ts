/** The app in German. Terms: Anteil (share), Maske (mask), Wechsel (turn), Besitzer (owner), Gewichte (weights). */
import type { Words } from './language.ts';

const plural = (count: number, one: string, many: string): string => (count === 1 ? one : many);

export const de: Words = {
  language: 'Sprache',

  app: {
    incomplete: {
      title: 'Ein Teil der App konnte nicht geladen werden.',
      text: 'Vielleicht läuft der Server nicht oder hat eine neuere Version. Laden Sie die Seite neu und versuchen Sie es dann noch einmal.',
    },
    backToStart: 'Zum Anfang',
    cancel: 'Abbrechen',
    close: 'Schließen',
    share: 'Teilen',
    leave: 'Verlassen',
    thisTab: 'Dieser Tab',
    howItWorks: 'So geht das',
    youHaveTheImage: 'Sie haben das Bild',
    youHaveTheModel: 'Sie haben das Modell',
    detailsOfModel: 'Einzelheiten: das Modell',
    detailsOfCost: 'Einzelheiten: was es kostet, Schritt für Schritt',
    leaving: {
      title: 'Verlassen?',
      owner: 'Ihr Raum wird geschlossen, und sein Link geht nicht mehr.',
      client:
        'Die Verbindung endet, und die Antworten auf dieser Seite gehen verloren. Derselbe Link geht wieder, solange der Raum des Besitzers offen ist.',
      clientByText:
        'Die Verbindung endet, und die Antworten auf dieser Seite gehen verloren. Ein Link gilt für eine Verbindung: Für eine weitere bitten Sie den Besitzer um einen neuen Link.',
      stay: 'Bleiben',
    },
    notLoaded: (what) => `${what}: nicht geladen, laden Sie die Seite neu`,
  },

  unsupported: {
    title: 'Dieser Browser kann Blindsight nicht ausführen.',
    lacks: 'Ihm fehlt:',
    advice:
      'Öffnen Sie diese Seite in einem aktuellen Chrome, Edge, Firefox oder Safari. Ist es schon einer, hat vielleicht eine Erweiterung oder Einstellung die Funktion abgeschaltet.',
    webrtc: 'WebRTC (die Verbindung zwischen den beiden Tabs)',
    workers: 'Web Workers (die Berechnung neben der Seite)',
    simd: 'WebAssembly mit SIMD (schnelles Rechnen)',
    offscreenCanvas: 'OffscreenCanvas (das Lesen von Bildern neben der Seite)',
    webSocket: 'WebSocket (die Vermittlung durch den Server)',
  },

  ice: {
    title: 'Dieser Link bringt eigene Server mit',
    asks: 'Um den anderen Tab zu finden, soll dieser benutzen:',
    learns:
      'Sie erfahren die Netzwerkadresse dieses Geräts und wann Sie sich verbinden, aber kein Bild und kein Modell. Benutzen Sie sie, wenn Sie dem Absender des Links vertrauen.',
    unreadable: 'Die Liste der Server in dieser Adresse ist nicht zu gebrauchen.',
    use: 'Diese Server benutzen',
    without: 'Ohne sie weiter',
    plainHttp:
      'Diese Seite kam über unverschlüsseltes HTTP: Jemand im Netz dazwischen könnte sie verändert haben, und dann ist hier nichts privat. Nehmen Sie HTTPS für mehr als einen Versuch in einem Netz, dem Sie vertrauen.',
  },
  start: {
    title: 'Ein Bild erkennen lassen, ohne es zu zeigen.',
    lead: 'Ein Tab hat ein Bild, ein anderer ein neuronales Netz. Zusammen finden sie heraus, was auf dem Bild ist. Keiner sieht, was der andere hat. Der Server stellt die beiden Tabs nur einander vor: Das Bild bekommt er nie.',
    alone: 'Allein ausprobieren',
    aloneNote:
      'Unter einer Minute: beide Seiten auf dieser Seite, die mit dem Bild und die mit dem Modell. Nichts zu installieren.',
    doors: 'Oder zu zweit: Wählen Sie Ihre Seite',
    client: {
      title: 'Ich habe ein Bild',
      learns: 'Sie erfahren, was darauf ist.',
      hidden: 'Der Besitzer des Modells erfährt, dass Sie gefragt haben, nicht was.',
      label: 'Einladungslink oder Code vom Besitzer des Modells',
      placeholder: 'http://…/#… oder K7Q2-M9XF',
      checking: 'Wird geprüft…',
      open: 'Öffnen',
    },
    owner: {
      title: 'Ich habe ein Modell',
      learns: 'Andere können es benutzen, über einen Link, den Sie ihnen schicken.',
      hidden: 'Sie bekommen Antworten, nie Ihre Gewichte.',
      share: 'Ein Modell teilen',
    },
    problems: {
      malformed:
        'Der Link, den Sie geöffnet haben, ist unvollständig. Lassen Sie ihn sich noch einmal geben oder fügen Sie ihn hier ganz ein.',
      empty:
        'Fügen Sie den Link ein, den Ihnen der Besitzer des Modells geschickt hat, oder tippen Sie den Code ein, den er sieht.',
      cut: 'Das ist kein ganzer Einladungslink. Kopieren Sie ihn noch einmal bis zum Ende.',
      neither: 'Das ist weder ein Link noch ein Code. Ein Code hat acht Buchstaben und Ziffern, etwa K7Q2-M9XF.',
      wrongCode: (rest) => `Dieser Code passt nicht: Vergleichen Sie ihn mit dem der anderen Person. ${rest}`,
      lastTry: 'Das war der letzte Versuch: Die andere Person sieht jetzt einen neuen Code.',
      triesLeft: (count) => `Noch ${count} ${plural(count, 'Versuch', 'Versuche')}.`,
      noAnswer:
        'Der andere Tab hat nicht so geantwortet, wie er sollte. Versuchen Sie es noch einmal oder bitten Sie um den Link.',
    },
    how: {
      title: 'Wie kann das gehen?',
      steps: [
        {
          title: 'Teilen',
          text: 'Aus jeder Zahl werden zwei zufällig aussehende Anteile, deren Summe die Zahl ist. Jeder Tab hält einen, und einer allein sagt nichts.',
        },
        {
          title: 'Mit Anteilen rechnen',
          text: 'Die Tabs führen das ganze Netz auf Anteilen aus. Sie tauschen nur maskierte Zahlen aus; Sie sehen jedes Byte.',
        },
        {
          title: 'Die Antwort aufdecken',
          text: 'Am Ende schickt der Tab des Besitzers seinen Anteil an den Punktzahlen. Nur der Tab mit dem Bild kann die beiden addieren.',
        },
      ],
    },
    learned:
      'All das gilt, solange beide Tabs dieses Programm so ausführen, wie es ist. Der Tab des Besitzers erfährt, dass jemand gefragt hat; der Server, dass zwei Tabs sich getroffen haben; beide Tabs die Netzadresse des anderen.',
    protection: 'Was geschützt ist und was nicht',
    shares: {
      alt: 'Zwei Kacheln aus zufälligen Punkten; wo sie sich unterscheiden, erscheint ein Auge.',
      one: 'die Hälfte des einen Tabs',
      other: 'die des anderen',
      together: 'nur beide zeigen es',
    },
  },

  handOver: {
    earlier: {
      title: 'Diese Antwort gehört zu einem früheren Link.',
      text: 'Jeder Link gilt für eine Verbindung. Schicken Sie den Link, den der Tab mit dem Modell jetzt zeigt, und bringen Sie ihm die Antwort auf diesen.',
    },
    taken: {
      title: 'Die Antwort ist angekommen.',
      text: 'Der Tab mit dem Modell hat sie und verbindet sich. Sie können diesen schließen.',
    },
    missing: {
      title: 'Hier wartet kein Tab auf eine Antwort.',
      text: 'Öffnen Sie die Antwort auf dem Gerät und in dem Browser, der den Einladungslink zeigt, oder fügen Sie sie dort ein.',
    },
  },

  alone: {
    title: 'Beide Seiten auf einer Seite',
    twoTabs: 'In zwei Tabs',
    clientSide: 'Die Person mit dem Bild',
    ownerSide: 'Die Person mit dem Modell',
    loading: 'Ein Modell wird geladen und geprüft; die beiden Seiten verbinden sich.',
    choose: 'Wählen Sie ein Beispiel: Es wird sofort klassifiziert, und nur diese Seite sieht es.',
    random: 'Zufallszahlen, noch kein Bild',
    masked: 'maskierte Zahlen',
    arrivingBefore: 'Zufallszahlen der Vorbereitung: noch nichts von einem Bild',
    arrivingNow: 'Was ankommt, während es ankommt',
    maskedCaption: 'Alles, was diese Seite vom Bild bekam: Zufallszahlen',
    peek: 'Alles, was die Seite mit dem Modell sieht:',
    peekNoise: 'Rauschen',
    nothingYet: 'noch nichts',
    model: 'Modell',
    arrived: 'Empfangen',
    picture: 'Das Bild',
    answer: 'Die Antwort',
    answered: 'Gegebene Antworten',
    unknown: 'dieser Seite unbekannt',
    unknownOf: (classes) => `eines von ${classes} Dingen, unbekannt welches`,
    explanation:
      'Sie spielen beide Personen, in einem Browser. Die Seiten sprechen nur durch die Verbindung in der Mitte, eine echte; zwei Personen nähmen zwei Geräte.',
    trusted: 'Beiden Seiten wird zugetraut, dieses Programm so auszuführen, wie es ist.',
  },

  client: {
    titles: {
      stopped: 'Beendet',
      reconnecting: 'Verbindet sich neu',
      classifying: 'Erkennt',
      ready: 'Bereit',
      preparing: 'Bereitet vor',
      connecting: 'Verbindet sich',
    },
    byText: {
      title: 'Schicken Sie nun diese Antwort zurück',
      text: 'Diese Seite hat keinen Server, der Leute einander vorstellt. Die Person mit dem Modell fügt die Antwort ein oder scannt sie; dann verbinden sich beide Tabs. Lassen Sie diesen offen.',
      label: 'Antwort für die Person mit dem Modell',
    },
    connecting: {
      title: 'Verbindung zum Tab des Besitzers…',
      text: 'Lassen Sie beide Tabs offen. Sobald sie verbunden sind, sehen Sie, welches Modell auf der anderen Seite ist.',
    },
    connectAgain: 'Neu verbinden',
    yourImage: 'Ihr Bild',
    classify: 'Privat erkennen',
    choose: 'Wählen Sie ein Bild',
    queue: {
      title: (done, all) => `${done} von ${all} Bildern beantwortet`,
      text: 'Jedes wird erkannt, sobald seine Zufallszahlen vorbereitet sind.',
      begin: 'Beginnen Sie mit „Privat erkennen“; die anderen folgen von selbst.',
      waiting: 'wartet',
      current: 'ist an der Reihe',
      left: 'hat keine Antwort: Die Verbindung ist beendet',
      pasted: 'eingefügtes Bild',
      cost: (seconds, bytes) => `${seconds}, ${bytes}`,
      mean: (offline, online, offlineBytes, onlineBytes) =>
        `Im Mittel ${offline} und ${offlineBytes} zur Vorbereitung, dann ${online} und ${onlineBytes}.`,
      stop: 'Den Rest weglassen',
    },
    another: 'Ein anderes Bild',
    next: 'Nächstes Bild',
    nextNote: 'Es wird erkannt, sobald Sie es wählen.',
    waitingNote: 'Dieses Bild ist als nächstes dran: Es wird erkannt, wenn Sie sich wieder verbunden haben.',
    chooseNote: 'Das Bild bleibt in diesem Tab. Nur maskierte Zahlen verlassen ihn.',
    asTheModelSeesIt: 'Wie das Modell es sieht',
    crop: 'Der Ausschnitt, den das Modell beurteilt',
    ownersNoise: 'Alles, was davon zur Gegenseite kam: Rauschen',
    noiseNumbers: (count) => `${count} Zahlen, alle Rauschen`,
    known: {
      title: (count) => `Dieses Modell kennt ${count} Dinge`,
      more: (count) => `und ${count} mehr`,
      own: 'Das sind die eigenen Wörter des Modells, unübersetzt.',
      others: 'Jedes andere Bild bekommt auch eines davon.',
    },
    picker: {
      choose: 'Ein Bild wählen',
      camera: 'Kamera',
      orDrop: 'eines oder mehrere; auch irgendwo fallen gelassen oder eingefügt',
      orPaste: 'eines oder mehrere; auch eingefügt',
      file: 'Bilddatei',
      orSample: 'oder ein Beispiel ausprobieren',
      orOwners: 'oder eines der Bilder des Besitzers ausprobieren',
      sample: (label) => `Beispiel: ${label}`,
      hard: 'Ein schweres: Das Modell hält es für etwas anderes.',
      hardMark: 'schwer',
    },
    camera: {
      name: 'Kamera',
      take: 'Foto machen',
      unavailable: 'Die Kamera ist nicht verfügbar: Erlauben Sie sie dieser Seite oder wählen Sie eine Datei.',
    },
    running: {
      waiting: 'Wird vorbereitet…',
      classifying: 'Wird erkannt…',
      preparation: 'Vorbereitung',
      classification: 'Erkennung',
      reconnecting: 'Die Verbindung wird neu aufgebaut; die Erkennung beginnt von selbst.',
      preparing:
        'Ihr Bild wird noch nicht benutzt: Beide Seiten tauschen noch verschlüsselte Zufallszahlen. Dann beginnt es von selbst.',
    },
    result: {
      spoken: (label, rest) => `Die Antwort: ${label}${rest}`,
      unnamedClass: (index) => `Klasse ${index}`,
      right: '✓ so heißt auch das Beispiel',
      wrong: (truth) => `✗ das Beispiel heißt ${truth}`,
      labelOnly: 'Der Besitzer gibt nur die Antwort preis, keine Punktzahlen.',
      logit: (value) => `Punktzahl (Logit) ${value}`,
      answer: 'Antwort',
      preparation: 'Vorbereitung',
    },
    trust: {
      always: (count) => `Es wählt immer eines dieser ${count} Dinge, was auch auf dem Bild ist.`,
      titles: {
        clear: 'Eine klare Antwort.',
        likely: 'Eine wahrscheinliche Antwort.',
        unclear: 'Kaum mehr als geraten.',
        unlike: 'Vielleicht keines dieser Dinge.',
      },
      second: (other) => `Die zweite Wahl ist ${other}.`,
      right: (right, count) =>
        `Bei Bildern, die wirklich eines der ${count} Dinge zeigen, sind ${right} von 100 solchen Antworten richtig.`,
      othersToo: (others) =>
        `Vorsicht: Von Bildern von etwas anderem bekommen ${others} von 100 auch eine solche Antwort, eine falsche.`,
      unlike: (others, own, count) =>
        `Das Bild ähnelt keinem davon sehr. So geht es ${others} von 100 Bildern von etwas anderem und ${own} von 100 der ${count} Dinge.`,
      unmeasured: 'Wie oft eine solche Antwort richtig ist, wurde für dieses Modell nicht gemessen.',
    },
    story: {
      titles: { before: 'Was geschehen wird', during: 'Was gerade geschieht', after: 'Was eben geschehen ist' },
      mask: {
        title: 'Maskieren',
        text: (bytes) =>
          `Ihr Tab zieht Zufallszahlen vom Bild ab und schickt ${bytes} Rauschen. Das Bild selbst verlässt ihn nie.`,
      },
      compute: {
        title: 'Mit Anteilen rechnen',
        text: (turns) =>
          `Beide Tabs führen das ganze Netz auf Anteilen aus. Sie schicken abwechselnd, ${turns} Mal. Keine Nachricht allein verrät etwas.`,
      },
      reveal: {
        title: 'Aufdecken',
        scores:
          'Der Tab des Besitzers schickt seinen Anteil an den Punktzahlen. Ihrer addiert beide; nur Sie kennen die Antwort.',
        label:
          'Die Punktzahlen werden auf Anteilen verglichen. Nur die Nummer der größten wird aufgedeckt, und nur Ihnen.',
      },
      follow: 'Einer Zahl folgen',
    },
    check: {
      run: 'Mit dem Klartext vergleichen',
      note: 'Führt dasselbe Modell ungeschützt in diesem Tab aus. Das geht nur, weil das Modell dieser Vorführung öffentlich ist.',
      running: 'Das öffentliche Modell läuft im Klartext…',
      same: 'Dieselbe Antwort im Klartext.',
      differs: 'Der Klartext sagt etwas anderes.',
      tie: 'Der Klartext sagt etwas anderes: beinahe gleichauf.',
      difference: 'Größter Unterschied einer Punktzahl:',
      took: (time) => `Das dauerte ${time}.`,
      sameFile: 'Das Modell ist genau so beschrieben wie dieses öffentliche.',
      otherFile: 'Das Modell ist anders beschrieben als dieses öffentliche.',
      problems: {
        load: 'Das Modell im Klartext konnte nicht geladen werden.',
        missing: 'Das Modell im Klartext liegt nicht auf diesem Server.',
        run: (detail) => `Das Modell im Klartext konnte nicht laufen: ${detail}`,
      },
    },
    report: {
      group: 'Das Ergebnis mitnehmen, ohne das Foto',
      save: 'Sichern, ohne Foto:',
      picture: 'Bild',
      share: 'Das Bild davon teilen',
    },
    summary: {
      title: 'Erkannt, ohne gezeigt zu werden',
      labelOnly: 'Der Besitzer gibt nur die Antwort preis.',
      noise: 'alles, was der Besitzer bekam',
      phase: (name, time, bytes, turns) => `${name} ${time}, ${bytes}, ${turns} Wechsel`,
      footer: 'Blindsight: zwei Browsertabs, Berechnung zu zweit, kein Dritter',
    },
  },

  owner: {
    titles: { serving: 'Antwortet', sharing: 'Ein Modell teilen' },
    openRoom: 'Einen Raum öffnen',
    fetching: {
      title: 'Ein Modell wird geholt…',
      text: 'Es wird in diesem Tab geprüft. Dann öffnet sich ein zweiter Tab für das Bild.',
    },
    blocked:
      'Kein zweiter Tab? Dann hat ihn dieser Browser blockiert: Nehmen Sie „In einem zweiten Tab öffnen“. Nebeneinander zeigen die beiden die zwei Hälften der Berechnung.',
    room: {
      closed: {
        title: 'Der Raum ist geschlossen',
        text: 'Niemand kann sich verbinden. Ein neuer Raum hat einen neuen Link.',
      },
      connecting: { title: 'Verbindet sich…', text: 'Einen Augenblick.' },
      none: { title: 'Kein Raum ist offen', text: 'Was geschehen ist, steht oben.' },
      opening: { title: 'Ein Raum wird geöffnet…', text: 'Einen Augenblick.' },
    },
    lastSession: 'Die letzte Sitzung',
    summary: 'Ihr Modell und wer es fragen darf',
    yourModel: 'Ihr Modell',
    picker: {
      title: 'Welches Modell teilen Sie?',
      text: 'Seine Gewichte bleiben in diesem Tab. Die Person mit dem Bild sieht seine Beschreibung und die Antworten.',
      looking: 'Modelle werden gesucht…',
      none: 'Zu diesem Server gehört kein Modell.',
      failed: 'Die Liste der Modelle konnte nicht geladen werden. Eigene Dateien gehen trotzdem.',
      own: 'Ihr eigenes Modell',
      ownTitle: 'Ihr eigenes',
      drop: 'Lassen Sie hier ein exportiertes Modell fallen eine .blindsight-Datei, oder',
      chooseHere: 'Ein exportiertes Modell ist eine .blindsight-Datei, oder',
      together: 'alle drei zusammen.',
      format: 'Es muss ein Vision Transformer sein, den das Exportprogramm dieses Projekts geschrieben hat:',
      formatNote: 'Die Dateien werden in diesem Tab gelesen und geprüft und nirgends hochgeladen.',
      choose: 'Dateien wählen',
      files: 'Dateien Ihres Modells',
      loading: 'Das Modell wird geladen und geprüft…',
    },
    card: {
      reading: 'Seine Beschreibung wird gelesen…',
      unreadable: 'Seine Beschreibung konnte nicht gelesen werden. Vielleicht geht es trotzdem.',
      recognises: (count, labels) => `Erkennt ${count} Dinge: ${labels}.`,
      slider: 'Billiger oder genauer?',
      cheapest: 'billiger',
      mostAccurate: 'genauer',
      unmeasured: 'Genauigkeit unbekannt',
      accuracy: 'Genauigkeit',
      ofTest: (images) => `von ${images} Testbildern`,
      ofValidation: 'von Validierungsbildern',
      looksAt: 'Betrachtet',
      pixels: (width, height) => `${width} × ${height} Pixel`,
      oneAnswer: 'Eine Antwort',
      time: (offline, online) => `Etwa ${offline} Vorbereitung, dann etwa ${online}`,
      timeNote: 'zwischen zwei Tabs auf einem Rechner wie diesem; eine langsame Verbindung kommt dazu',
      cost: (offline, online, turns) => `${offline} zur Vorbereitung, ${online} und ${turns} Wechsel für die Antwort`,
      exact: 'Genau berechnet',
      theRest: 'der Rest als Polynome',
      weights: 'Gewichte',
      weightsStay: 'die in diesem Tab bleiben',
      share: 'Dieses Modell teilen',
    },
    byText: {
      title: 'Nehmen Sie dann die Antwort entgegen',
      text: 'Diese Seite hat keinen Server, der Leute einander vorstellt. Wer Ihren Link öffnet, bekommt eine Antwort für Sie: Fügen Sie sie hier ein oder scannen Sie sie mit diesem Gerät.',
      label: 'Antwort der anderen Person',
      connect: 'Verbinden',
      noAnswer: 'Das ist keine ganze Antwort. Kopieren Sie sie noch einmal, bis zum Ende.',
      earlier:
        'Diese Antwort gehört zu einem früheren Link. Schicken Sie den Link, der hier steht, und nehmen Sie die Antwort auf diesen.',
    },
    invite: {
      title: 'Schicken Sie diesen Link der Person mit dem Bild',
      text: 'Der Teil nach # ist ein Geheimnis, das kein Server sieht. Wer ihn hat, kann Ihr Modell fragen, immer einer zur Zeit.',
      link: 'Einladungslink',
      copy: 'Link kopieren',
      copied: 'Kopiert',
      linkCopied: 'Link kopiert',
      openTab: 'In einem zweiten Tab öffnen',
      local:
        'Dieser Link geht nur auf diesem Gerät. Für ein anderes öffnen Sie diese Seite unter der Adresse des Geräts in Ihrem Netz, die der Server beim Start ausgegeben hat.',
      qr: 'QR-Code des Einladungslinks',
      otherDevice: 'Auf einem anderen Gerät im selben Netz',
      otherLink: 'Einladungslink für ein anderes Gerät',
      network: 'Adresse dieses Geräts',
      otherNote:
        'Beide Geräte müssen in einem Netz sein, etwa in einem WLAN. Die Seite kommt dort ohne Verschlüsselung (HTTP): Der Browser gibt ihr keine Kamera, hält den Bildschirm nicht länger wach und merkt nicht, ob jemand in diesem Netz die Seite verändert hat. Eine Datei oder ein Beispiel wählen geht.',
    },
    code: {
      title: 'Oder lassen Sie einen Code eintippen',
      where: (host, time) => `auf ${host}, einmal, bis ${time}`,
      make: 'Einen Code machen',
      stopped:
        'Neunmal wurde ein falscher Code getippt. Vielleicht rät jemand, also gibt es jetzt keinen Code. Der Link geht noch.',
      wrong: (left) => `Ein falscher Code wurde getippt: noch ${left} ${plural(left, 'Versuch', 'Versuche')}.`,
      usedUp: 'Dreimal wurde ein falscher Code getippt. Das ist ein neuer, der alte gilt nicht mehr.',
    },
    samples: {
      show: (count) =>
        count === 1
          ? 'Gästen das Beispielbild aus Ihrer Datei zeigen'
          : `Gästen die ${count} Beispielbilder aus Ihrer Datei zeigen`,
      note: 'Wer den Link hat, bekommt sie, so wie sie sind. Eine Änderung gilt ab dem nächsten Gast.',
    },
    controls: {
      connected: 'Jemand ist verbunden.',
      nobody: 'Niemand kann sich verbinden.',
      waiting: 'Wartet darauf, dass jemand den Link öffnet.',
      noRoom: 'Kein Raum ist offen.',
      served: 'Erkannte Bilder:',
      ofLimit: (limit) => `von ${limit}`,
      sessions: (count) => `in ${count} ${plural(count, 'Sitzung', 'Sitzungen')}`,
      limit: 'Den Raum schließen nach',
      noLimit: 'ohne Grenze',
      images: (count) => `${count} ${plural(count, 'Bild', 'Bildern')}`,
      answer: 'Die nächste Person erfährt',
      allScores: 'alle Punktzahlen',
      labelOnly: 'nur die Antwort',
      tooManyClasses: '(zu viele Klassen)',
      told: (bits, share) =>
        `Wer betrügt, kann aus diesen Antworten ${bits} Bits der Gewichte erfahren haben und nicht mehr: ${share} davon.`,
      stillScores: 'Wer jetzt verbunden ist, erfährt weiterhin alle Punktzahlen.',
      stillLabel: 'Wer jetzt verbunden ist, erfährt weiterhin nur die Antwort.',
      newRoom: 'Einen neuen Raum öffnen',
      raiseLimit: 'Die Grenze ist erreicht. Erhöhen Sie sie, um einen Raum zu öffnen.',
      closeRoom: 'Den Raum schließen',
      disconnect: 'Die Person trennen',
    },
  },

  live: {
    view: 'Die Berechnung, während sie läuft',
    connection: {
      server: 'Server',
      serverStates: {
        connecting: 'verbindet sich',
        connected: 'verbunden',
        reconnecting: 'verbindet sich neu',
        offline: 'nicht erreichbar',
        closed: 'nicht verbunden',
      },
      ownersTab: 'Tab des Besitzers',
      clientsTab: 'Tab mit dem Bild',
      connecting: 'verbindet sich',
      connected: 'verbunden',
      direct: 'direkt',
      relayed: 'über einen Vermittler',
      interrupted: 'unterbrochen',
      retry: (attempt, of) => `verbindet sich neu, Versuch ${attempt} von ${of}`,
      mayComeBack: 'weg, kommt vielleicht wieder',
      lost: 'verloren',
      closed: 'nicht verbunden',
      stopWaiting: 'Nicht mehr warten',
      roundTrip: 'Hin und zurück',
      throughput: 'Durchsatz',
      throughputHint: 'Das Meiste, was bisher zu sehen war: in einer kurzen Messung am Anfang und in der Vorbereitung.',
      sending: 'senden',
      receiving: 'empfangen',
      words: 'Prüfen: Der andere Tab zeigt dieselben Wörter',
      wordsHint:
        'Abgeleitet aus dem Geheimnis von Link oder Code und aus beiden Zertifikaten. Zeigen die beiden Tabs verschiedene Wörter, sitzt jemand dazwischen.',
    },
    progress: {
      headings: {
        connected: 'Einigt sich auf den Plan',
        preparing: 'Bereitet vor',
        ready: 'Vorbereitet, wartet auf ein Bild',
        computing: 'Rechnet, was kein Geheimnis ist',
        classifying: 'Rechnet mit Anteilen',
        done: 'Fertig',
        interrupted: 'Die Verbindung ging verloren',
        closed: 'Die Sitzung ist zu Ende',
      },
      notes: {
        connected:
          'Beide Tabs machen aus der öffentlichen Beschreibung des Modells dieselbe Liste von Schritten und vergleichen sie.',
        preparing:
          'Die Tabs tauschen verschlüsselte Zufallszahlen aus, damit später wenig zu tun bleibt. Noch ist kein Bild im Spiel.',
        ready: 'Alles, was das Bild nicht braucht, ist fertig.',
        computing:
          'Die ersten Blöcke dieses Modells sind öffentlich: Dieser Tab rechnet sie allein und schickt noch nichts.',
        classifying: 'Jede Zahl im Netz gibt es nur als zwei zufällig aussehende Anteile, einen in jedem Tab.',
        done: 'Der Besitzer hat seinen Anteil an der Antwort geschickt; nur die Person mit dem Bild kann beide addieren.',
        interrupted: 'Die Tabs finden sich wieder; dann beginnt die Vorbereitung von vorn, mit neuen Zufallszahlen.',
        closed: 'Die Tabs sind nicht mehr verbunden.',
      },
      settingUp: 'Tauscht Schlüssel aus (einmal je Verbindung)',
      preparingNext: 'Bereitet das nächste Bild vor',
      preparedNext: 'Vorbereitet für das nächste Bild',
      left: (time) => `, noch ${time}`,
      cancelPreparation: 'Vorbereitung abbrechen',
      next: (bytes, turns) =>
        `Eine Antwort braucht noch ${bytes} und ${turns} Wechsel: So oft wartet ein Tab auf den anderen.`,
      sent: '↑ gesendet',
      received: '↓ empfangen',
      turns: 'Wechsel',
    },
    prediction: {
      hint: 'Aus dem Plan abgelesen: Wechsel × der halbe Weg hin und zurück, Bytes durch den hier gemessenen Durchsatz und was das Rechnen diese beiden Tabs bisher gekostet hat.',
      took: (measured, predicted) => `Die Antwort dauerte ${measured}, vorhergesagt waren ${predicted}.`,
      running: (predicted) => `Vorhergesagt für die Antwort: ${predicted}.`,
      before: 'Diese Zahlen stammen aus der Zeit, bevor die Verbindung endete.',
      about: (total, travelling, computing) =>
        `Die Antwort wird über diese Verbindung etwa ${total} dauern: ${travelling} unterwegs, ${computing} Rechnen.`,
      atLeast: (travelling) => `Die Antwort wird über diese Verbindung mindestens ${travelling} unterwegs sein.`,
      measuring: 'Die Verbindung wird gemessen…',
    },
    masked: {
      region: 'Was der Besitzer bekam',
      titleClient: 'Ihr Bild blieb hier',
      titleOwner: 'Was Sie vom Bild bekamen',
      yours: 'Ihres, nur hier',
      ownersPart: 'Was der Besitzer bekam',
      yourPicture: 'Ihr Bild, das in diesem Tab bleibt',
      noise: 'Das maskierte Bild: Rauschen',
      yourHistogram: 'Ihr Bild: manche Werte sind häufig, manche selten',
      noiseHistogram: 'Unterwegs: jeder Wert gleich oft',
      placeholderYours: 'Ihr Bild',
      placeholderLeaves: 'was diesen Tab verlässt',
      placeholderArrives: 'was hier ankommt',
      explanation: (bytes, bits) =>
        `Die wirklichen ${bytes} Bytes, die unterwegs waren, als Bild gezeichnet: das Bild minus Zufallszahlen, die nur der Tab mit dem Bild kennt, modulo 2^${bits}. Jedes Bild sieht so aus, und wer diese Zahlen nicht hat, kann nicht sagen, welches es war.`,
      before:
        'Wenn eine Erkennung beginnt, wird hier ihre erste Nachricht gezeichnet: alles, was der Tab des Besitzers vom Bild bekommt.',
    },
    model: {
      title: (name) => `Das Modell: ${name}`,
      recognises: (count, labels) => `Erkennt ${count} Dinge: ${labels}.`,
      facts: (depth, heads, tokens, dim, exact) =>
        `Ein Vision Transformer mit ${depth} Blöcken zu ${heads} Köpfen, ${tokens} Tokens × ${dim} breit. Genau berechnet: ${exact}.`,
      cost: (bytes, turns) => `Eine Antwort kostet ${bytes} und ${turns} Wechsel.`,
      publicPart: (blocks: number, depth: number) =>
        blocks === depth
          ? 'Geheim ist nur der Klassifikator am Ende: Alles davor berechnet Ihr Tab, mit Gewichten, die jeder kennen darf.'
          : `Ein Teil ist öffentlich: Die Bildstücke und die ersten ${blocks} von ${depth} Blöcken berechnet Ihr Tab selbst. Der Rest ist geheim.`,
      travelling: (time) => `Etwa ${time} davon ist sie über diese Verbindung unterwegs.`,
      allClasses: 'Alle Klassen, die es kennt',
      more: (labels, count) => `${labels} und ${count} mehr`,
      or: 'oder',
      thumbnail: (width, height) =>
        `Es betrachtet ein Vorschaubild von ${width} × ${height} Pixeln: ein Ding, groß, in der Mitte.`,
      photograph: (width, height) => `Es betrachtet ${width} × ${height} Pixel aus der Mitte eines Fotos.`,
      squashed: (width, height) => `Es betrachtet ein ganzes Foto, auf ${width} × ${height} Pixel gestaucht.`,
      exact: (softmax, rows, gelu, tokens) =>
        `${softmax} von ${rows} Softmax-Zeilen, ${gelu} von ${tokens} GELU-Tokens`,
      withoutGelu: (softmax, rows) => `${softmax} von ${rows} Softmax-Zeilen; Quadrate statt GELU`,
    },
    network: {
      label: 'Das Netz: wie weit jeder Teil ist',
      patches: 'Bildstücke',
      classes: 'Klassen',
      attention: (block) => `Block ${block}, Attention`,
      mlp: (block) => `Block ${block}, MLP`,
      in: 'ein',
      out: 'aus',
      block: (block) => `Block ${block}`,
      partName: (part) =>
        part === 'in' ? 'die Bildstücke' : part === 'out' ? 'die Klassen' : part.replace('block', 'Block'),
      choose: (part, bytes) => `${bytes} für eine Antwort: ${part}. Diagramm und Tabelle beschränken sich darauf`,
      asIfExact: 'Als wäre alles exakt',
      computing: 'Der Plan dafür wird berechnet…',
      bothPrices: (now, exact, times) => `Eine Antwort bräuchte ${exact} statt ${now}: ${times}-mal so viel.`,
      everySquare:
        'Jedes Quadrat ist ein Stück des Bildes (ein Token) an seinem Platz: oben für jeden Attention-Kopf, unten für das MLP.',
      everySquareOfHeads:
        'Jedes Quadrat ist ein Stück des Bildes (ein Token) an seinem Platz, für jeden Attention-Kopf.',
      exact: (softmax, rows, gelu, tokens) =>
        `genau gerechnet, was hier teuer ist (Softmax: ${softmax} von ${rows} Zeilen; GELU: ${gelu} von ${tokens} Tokens);`,
      withoutGelu: (softmax, rows) => `genau gerechnet, was hier teuer ist (Softmax: ${softmax} von ${rows} Zeilen).`,
      other: 'durch ein Polynom ersetzt, das viel weniger kostet.',
      squareUnits: (count) =>
        `Nicht gezeichnet: ein schmales MLP neben der Attention in jedem Block, dessen ${count} Einheiten quadrieren.`,
      fewerTokens: (block, kept, tokens) =>
        `Block ${block} betrachtet alle Tokens, die ihn erreichen, und gibt ${kept} von ${tokens} weiter, in jedem Bild an denselben Stellen: Die Felder der anderen sind von da an leer.`,
    },
    meters: {
      onlyPart: (part) => `Gezeigt wird nur: ${part}.`,
      showAll: 'Alles zeigen',
      region: 'Zähler',
      title: 'Was es kostet, Schritt für Schritt',
      phase: 'Abschnitt',
      phases: { online: 'Antwort', offline: 'Vorbereitung', setup: 'Aufbau' },
      chart: 'Das Diagramm zeigt',
      bytes: 'Bytes',
      time: 'Zeit',
      toOwner: 'zum Besitzer, nach oben',
      toClient: 'zur Person mit dem Bild, nach unten',
      planned: 'geplant',
      timeLegend: 'Millisekunden in diesem Tab, samt Warten auf den anderen',
      hint: 'Zeigen Sie auf einen Balken oder wählen Sie einen Schritt in der Tabelle, um zu lesen, was darin läuft.',
      hintTouch: 'Tippen Sie auf einen Balken oder auf einen Schritt in der Tabelle, um zu lesen, was darin läuft.',
      traffic: (all, framing, webrtc) =>
        `Alle Schritte seit dem Verbinden ${all}, Köpfe der Nachrichten dieses Programms ${framing}. WebRTCs eigene Zählung, einmal je Sekunde: ${webrtc}.`,
      nothing: 'In diesem Abschnitt wurde noch nichts gesendet.',
      total: 'Zusammen',
      columns: {
        order: { name: 'Schritt', hint: 'In der Reihenfolge der Berechnung' },
        bytesClientToOwner: { name: 'Zum Besitzer', hint: 'Bytes von der Person mit dem Bild zum Besitzer' },
        bytesOwnerToClient: { name: 'Vom Besitzer', hint: 'Bytes vom Besitzer zur Person mit dem Bild' },
        flights: {
          name: 'Wechsel',
          hint: 'Wie oft ein Tab auf den anderen warten muss: Jeder Wechsel kostet den halben Weg hin und zurück',
        },
        elapsedMs: { name: 'Zeit', hint: 'Millisekunden in diesem Tab, samt Warten' },
      },
      about: 'Über diesen Schritt',
      costliest: 'Der teuerste Schritt:',
      plannedCost: (detail, online, offline) =>
        `${detail}. Geplant: ${online} für die Antwort, ${offline} zur Vorbereitung.`,
    },
    charts: {
      throughput: 'Durchsatz',
      peak: 'höchstens',
      throughputAlt: (now, peak) =>
        `Durchsatz in der letzten halben Minute mit Verkehr: jetzt ${now} je Sekunde, höchstens ${peak}.`,
      missing: 'Das Diagramm konnte nicht geladen werden. Laden Sie die Seite neu.',
      histogramAlt: (label) => `Histogramm über 64 Bereiche von Bytewerten. ${label}.`,
      bytesAlt: (steps, largest, size) =>
        `Bytes von ${steps} Schritten; der größte ist ${largest} mit ${size}. Die Tabelle darunter hat jede Zahl.`,
      timeAlt: (steps, largest, size) =>
        `Zeit von ${steps} Schritten; der größte ist ${largest} mit ${size}. Die Tabelle darunter hat jede Zahl.`,
      empty: 'In diesem Abschnitt ist noch nichts gemessen.',
    },
    steps: {
      block: (block) => `Block ${block}`,
      within: {
        norm1: 'die Tokens normieren',
        'attn.qkv': 'Abfragen, Schlüssel und Werte',
        'attn.scores': 'wie sehr jedes Token auf jedes andere achtet',
        'attn.softmax': 'Softmax der genauen Zeilen',
        'attn.square': 'Quadrat statt Softmax, die übrigen Zeilen',
        'attn.units': 'Quadrateinheiten neben der Attention',
        'attn.mix': 'die Werte nach Attention mischen',
        'attn.proj': 'projizieren und zu den Tokens addieren',
        norm2: 'die Tokens normieren',
        'mlp.fc1': 'die genauen Tokens verbreitern',
        'mlp.gelu': 'GELU der genauen Tokens',
        'mlp.fc2': 'die genauen Tokens verschmälern',
        'mlp.merged': 'eine Matrix für alle übrigen Tokens',
      },
      others: {
        input: 'das Bild, in zwei Anteile geteilt',
        patch_embed: 'aus Bildstücken werden Tokens',
        pool: 'Mittel der Tokens',
        fc_norm: 'das Mittel normieren',
        head: 'Punktzahlen der Klassen',
        'ring-LWE': 'Produkte verschlüsselter zufälliger Anteile',
        'silent OT': 'zufällige vergessliche Übertragungen',
        keys: 'Schlüssel, einmal je Verbindung',
        handshake: 'Versionen, Beschreibung und Plan verglichen',
        'public part': 'erste Blöcke, die kein Geheimnis sind',
      },
    },
    protocols: {
      'input sharing': {
        title: 'Eingabe teilen',
        note: 'Die Person mit dem Bild schickt das Bild minus ihren zufälligen Anteil: für den Besitzer gleichverteiltes Rauschen.',
      },
      'linear (private weights)': {
        title: 'linear (geheime Gewichte)',
        note: 'Matrixprodukt mit den Gewichten des Besitzers. Der verschlüsselte Teil geschah in der Vorbereitung; jetzt wird nichts gesendet.',
      },
      'relative position (private table)': {
        title: 'relative Lage (geheime Tabelle)',
        note: 'Der Besitzer addiert Zahlen zu seinem Anteil, die davon abhängen, wo zwei Tokens liegen; er sendet nichts.',
      },
      truncate: {
        title: 'kürzen',
        note: 'Lässt nach einem Produkt Nachkommastellen weg; eine vergessliche Übertragung klärt den Übertrag.',
      },
      'matrix product': {
        title: 'Matrixprodukt',
        note: 'Produkt zweier geteilter Matrizen mit einseitigen Beaver-Tripeln: Nur maskierte Differenzen sind unterwegs.',
      },
      square: { title: 'Quadrat', note: 'Quadrat geteilter Zahlen; billiger als ein Produkt.' },
      'truncated square': {
        title: 'gekürztes Quadrat',
        note: 'Quadrat einer geteilten Zahl über einem Primkörper, nachdem Nachkommastellen weggelassen sind.',
      },
      'sum of squares': { title: 'Quadratsumme', note: 'Mittleres Quadrat jedes Tokens, für LayerNorm.' },
      'scalar × vector': { title: 'Skalar × Vektor', note: 'Streckt jede Zeile mit ihrer eigenen geteilten Zahl.' },
      spline: {
        title: 'Spline',
        note: 'Ein stückweises Polynom; welches Stück, weiß nur eine vergessliche Übertragung.',
      },
      'trigonometric polynomial': {
        title: 'trigonometrisches Polynom',
        note: 'Eine Funktion als Summe von Wellen ihres geteilten Arguments: Jede Seite kennt die Wellen ihres Anteils, und nur maskierte Bits sind unterwegs.',
      },
      exp: { title: 'exp', note: 'exp als Produkt zweier Tabellenwerte, vergesslich nachgeschlagen.' },
      'ring-LWE': {
        title: 'Ring-LWE',
        note: 'Die zufälligen Anteile der Person mit dem Bild reisen verschlüsselt; der Besitzer multipliziert sie verschlüsselt mit seinen Gewichten und maskiert, was er zurückgibt.',
      },
      'silent OT': {
        title: 'stille OT',
        note: 'Zufällige vergessliche Übertragungen, aus wenigen gezogen durch pseudozufällige Bäume: je weit unter einem Bit Verkehr.',
      },
      keys: {
        title: 'Schlüssel',
        note: 'Einmal je Verbindung: die ersten vergesslichen Übertragungen und der öffentliche Schlüssel.',
      },
      'reveal to the client': {
        title: 'Aufdecken',
        note: 'Der Besitzer schickt seinen Anteil an den Punktzahlen; die Person mit dem Bild addiert ihren.',
      },
      argmax: {
        title: 'Größte finden, nur die Antwort aufdecken',
        note: 'Vergleicht die Punktzahlen auf Anteilen; nur die Nummer der größten wird aufgedeckt.',
      },
      selection: {
        title: 'Auswahl',
        note: 'Welcher von mehreren Werten gilt, sagen nur geteilte Bits; eine blinde Übertragung holt ihn.',
      },
      comparison: {
        title: 'Vergleich',
        note: 'Welche von zwei Tabellen einer Zahl dient; keine Seite erfährt es.',
      },
      'tokens of the model (private)': {
        title: 'Tokens des Modells (privat)',
        note: 'Das Klassentoken und Register: die eigenen des Besitzers, in seinem Anteil; gesendet wird nichts.',
      },
    },
  },

  explain: {
    title: 'Einer Zahl folgen',
    walk: {
      about: {
        own: 'Ihr Bild in 64 Pixeln und ein Netz mit einem Neuron. Beide Seiten laufen in diesem Tab, und zwar so, wie sonst in zwei Tabs. Jede Zahl ist echt. Tippen Sie ein Pixel des Bildes an, um ihm zu folgen.',
        sample:
          'Ein Bild aus 64 Pixeln und ein Netz mit einem Neuron. Beide Seiten laufen in diesem Tab, und zwar so, wie sonst in zwei Tabs. Jede Zahl ist echt. Tippen Sie ein Pixel des Bildes an, um ihm zu folgen.',
      },
      preparing:
        'Beide Seiten bereiten sich vor, wie zwei Tabs: Schlüssel, Zufallszahlen, verschlüsselte Produkte. Das dauert ein paar Sekunden.',
      failed:
        'Die beiden Seiten konnten hier nicht gestartet werden. Laden Sie die Seite neu und versuchen Sie es noch einmal.',
      region: 'Eine Zahl, vom Pixel zur Punktzahl',
      steps: 'Schritte',
      step: (number, title) => `Schritt ${number}: ${title}`,
      spoken: (number, of, title, sentence) => `Schritt ${number} von ${of}, ${title}: ${sentence}`,
      back: 'Zurück',
      next: 'Weiter',
      play: 'Abspielen',
      pause: 'Anhalten',
      fresh: 'Neue Zufallszahlen',
      anotherPixel: 'Anderes Pixel',
      sides: { client: 'Die Seite mit dem Bild', owner: 'Die Seite mit dem Modell' },
      picture: 'Das Bild',
      scores: 'Die Punktzahlen',
      shares: 'Ihre Anteile',
      share: 'Ihr Anteil',
      unknown: 'unbekannt',
      travels: 'Was unterwegs ist',
      nothing: 'Nichts.',
      bytes: (bytes, pixels) => `${bytes} für alle ${pixels} Pixel`,
      before: 'Bevor es ein Bild gab',
      together: 'Beide Anteile zusammen',
      nobody: 'Das sieht keine der Seiten. Es steht hier, damit Sie folgen können.',
      alsoClient: 'Noch kennt das die Seite mit dem Bild: Es ist ihr Pixel.',
      onlyClient: 'Das sieht nur die Seite mit dem Bild.',
      details: 'Einzelheiten zu diesem Schritt',
      sum: (client, owner, modulus, sum, scale, value) =>
        `${client} + ${owner} = ${sum} modulo ${modulus}, und durch ${scale} ist das ${value}. Addieren modulo ${modulus} geht wie auf einer Uhr mit so vielen Stunden.`,
      split: {
        title: 'Teilen',
        sentence: (pixel) => `Aus dem Pixel, ${pixel}, werden zwei Anteile, und jeder allein ist Rauschen.`,
        text: (pixel) =>
          `Das markierte Pixel ist ${pixel}. Seine Seite behält eine Zufallszahl und schickt das Pixel minus diese Zahl. Jeder der beiden Anteile allein ist Rauschen.`,
        details:
          'Die Zufallszahl war gezogen, bevor es ein Bild gab. Was ankommt, passt zu jedem Pixel: Eine andere Zufallszahl erklärt es.',
        pixel: 'Das Pixel',
        own: 'Ihr Anteil: zufällig',
        arrived: 'Ihr Anteil: was ankam',
        sent: 'das Pixel minus die Zufallszahl',
      },
      multiply: {
        title: 'Malnehmen',
        sentence: () => 'Jede Seite nimmt ihren Anteil mit dem Gewicht des Modells mal, und nichts ist unterwegs.',
        text: (weight, bias) =>
          `Das Modell nimmt mit seinem Gewicht mal, ${weight}, und zieht ${bias} ab. Jede Seite tut das mit ihrem Anteil. Die Seite mit dem Bild sieht das Gewicht nie: Ihr Anteil wurde verschlüsselt malgenommen, bevor es ein Bild gab.`,
        details: (mask) =>
          `Die Seite mit dem Bild hatte ihren zufälligen Anteil verschlüsselt geschickt (Ring-LWE). Die andere nahm ihn verschlüsselt mal und zog eine zufällige Maske ab, s = ${mask}. Der erste Anteil ist also Gewicht × Anteil − s; der zweite ist Gewicht × Anteil + s und die Konstante. Das Produkt darf in der letzten Stelle um eins danebenliegen.`,
        share: 'Ihr Anteil am Produkt',
        weight: 'Das Gewicht',
        encrypted: 'der zufällige Anteil, verschlüsselt',
        product: 'sein Produkt, maskiert',
      },
      shorten: {
        title: 'Kürzen',
        sentence: () =>
          'Jede Seite lässt Stellen ihres Anteils weg, und eine versiegelte Korrektur stellt das Ergebnis richtig.',
        text: () =>
          'Produkte haben zu viele Stellen. Jede Seite lässt die letzten ihres Anteils weg. Das Ergebnis kann dann um einen festen Betrag danebenliegen. Die Seite mit dem Bild versiegelt zwei Korrekturen, und die andere kann nur die richtige öffnen.',
        details: (bits, ring, hidden) =>
          `Jede Seite lässt ${bits} Bits weg. Wo die Anteile zusammen ${ring} überschreiten, läge das Ergebnis um einen festen Betrag daneben; ob sie das tun, hängt vom höchsten Bit beider ab. Durch vergessliche Übertragung bekommt die Seite mit dem Modell die eine Korrektur, die zu ihrem Bit passt. Sie schickte dieses Bit von einem zufälligen verdeckt, als ${hidden}. Die andere erfährt nicht, welches es war, und sie öffnet keine weitere. Die letzte Stelle darf um eins danebenliegen.`,
        hidden: 'ihr höchstes Bit, verdeckt',
        sealed: 'zwei versiegelte Korrekturen',
        opened: 'Geöffnet',
        which: (number) => `Korrektur ${number} von 2`,
      },
      lookUp: {
        title: 'Nachschlagen',
        sentence: () =>
          'Die Seite mit dem Modell öffnet eines von sechzehn versiegelten Kästchen, und keine erfährt, welches Stück es war.',
        text: () =>
          'Eine Kurve lässt sich nicht auf jedem Anteil allein berechnen. Also wird sie in 16 Stücke geschnitten und in 16 Kästchen versiegelt, in einer Reihenfolge, die der erste Anteil verschiebt. Die Seite mit dem Modell öffnet das Kästchen, das ihr Anteil nennt. Keine erfährt, welches Stück es war.',
        details: (box, hidden, opened) =>
          `Die Kurve ist GELU, wie in jedem Vision Transformer. Die führenden Bits des Anteils nennen Kästchen ${box}; geschickt wurde ${hidden}, das ist diese Nummer, von einer zufälligen verdeckt. Darin: ${opened}, die Koeffizienten einer Parabel, jeder maskiert. Der Rest des Anteils geht Bit für Bit in die Parabel ein, jedes von einer vorher gemachten zufälligen Wahl verdeckt. Dann wird das Ergebnis gekürzt wie im Schritt davor.`,
        hidden: 'die Nummer ihres Kästchens, verdeckt',
        sealed: '16 versiegelte Kästchen',
        opened: 'Geöffnet',
        which: (number) => `Kästchen ${number} von 16`,
      },
      again: {
        title: 'Und so weiter',
        sentence: (weight) =>
          `Noch ein Gewicht, ${weight}, und das Ergebnis ist die Punktzahl, noch immer in zwei Anteilen.`,
        text: (weight) =>
          `Ein Netz wiederholt diese Schritte, mit Millionen von Zahlen zugleich. Hier beendet es ein weiteres Gewicht, ${weight}. Das Ergebnis ist die Punktzahl. Noch immer sind es zwei Anteile, und jeder ist Rauschen.`,
        details:
          'Das Kürzen schickt hier nichts, weil danach weniger Bits gebraucht werden. Attention nimmt zwei Zahlen mal, die beide geteilt sind: Dort öffnet die Seite mit dem Modell e, ihren Anteil minus eine zufällige Maske ρ, und Anteile der gemischten Glieder wurden vorher gemacht. Die meisten Attention-Zeilen quadrieren nur, z² = (c² + 2ce + v) + (o² + u), wobei u und v Anteile von 2cρ sind.',
        share: 'Ihr Anteil an der Punktzahl',
      },
      reveal: {
        title: 'Addieren',
        sentence: (score) =>
          `Nur die Seite mit dem Bild bekommt beide Anteile und addiert sie: Die Punktzahl ist ${score}.`,
        text: (score) =>
          `Erst jetzt schickt die Seite mit dem Modell ihren Anteil. Nur die Seite mit dem Bild hat beide und addiert sie: Die Punktzahl ist ${score}. Die andere sah vom ersten bis zum letzten Schritt nur Rauschen.`,
        details:
          'In einem Netz geschieht das einmal, für die Punktzahlen der Klassen. Andere Zufallszahlen ändern jeden Anteil und jede Nachricht. Das Ergebnis bleibt, bis auf seine letzte Stelle.',
        score: 'Die Punktzahl',
        sent: 'ihr Anteil an der Punktzahl',
      },
    },
    protection: {
      documentTitle: 'Was geschützt ist',
      title: 'Zwei Tabs, und was jeder von ihnen erfährt',
      source: (file) =>
        `Parameter, Annahmen und ihre Quellen stehen Teil für Teil in ${file} im Quelltext des Programms.`,
    },
    threats: {
      title: 'Was geschützt ist und was nicht',
      table: 'Wer was erfährt',
      who: 'Wer',
      learns: 'erfährt',
      doesNot: 'erfährt nicht',
      parties: [
        {
          who: 'Wer das Bild hat',
          learns:
            'die Punktzahlen der Klassen oder, wo der Besitzer das will, nur die Antwort; die öffentliche Beschreibung des Modells; die Netzadresse des anderen',
          not: 'die Gewichte',
        },
        {
          who: 'Wer das Modell hat',
          learns: 'dass eine Erkennung stattfand und wann; die Netzadresse des anderen',
          not: 'das Bild und die Antwort',
        },
        {
          who: 'Der Server',
          learns:
            'dass zwei Tabs sich getroffen haben, und ihre Netzadressen; welches mitgelieferte Modell und welche seiner Beispiele ein Tab holt',
          not: 'irgendetwas, was sie berechnen: Davon läuft nichts über ihn',
        },
        {
          who: 'Alle anderen',
          learns: 'wie viel Verkehr zwischen den beiden fließt',
          not: 'was darin ist: WebRTC verschlüsselt es',
        },
      ],
      relies: 'Worauf das beruht',
      reliesOn: [
        'Beide Seiten führen dieses Programm unverändert aus und dürfen alles studieren, was sie bekommen („semi-honest“).',
        'Probleme, die als schwer gelten: Ring-LWE, Learning Parity with Noise, Diffie–Hellman auf einer Kurve. Etwa 2¹²⁸ Schritte, um sie zu brechen.',
        'Die Einladung: Wer sie hat, kann den Platz Ihres Gegenübers einnehmen. Vergleichen Sie die vier Wörter auf beiden Tabs.',
        'Kein Dritter, kein Geber, keine vertrauenswürdige Hardware.',
      ],
      notCovered: 'Was nicht abgedeckt ist',
      gaps: [
        'Eine Seite, die vom Protokoll abweicht.',
        'Das Nachbauen eines Modells durch sehr viele Fragen. Der Besitzer kann ihre Zahl begrenzen.',
        'Das Messen, wie lange die Schritte dieses Programms auf Ihrem Gerät dauern.',
        'Ein Server, der ein verändertes Programm ausliefert: Betreiben Sie ihn selbst oder prüfen Sie, was Sie laden.',
        'Fehler in diesem Code: Niemand außerhalb des Projekts hat ihn geprüft.',
      ],
    },
    papers: {
      title: 'Die Arbeiten dahinter',
      privit: 'welche Softmax-Zeilen und GELU-Tokens genau bleiben',
      delphi: 'Anteile, die gewählt sind, bevor es das Bild gibt',
      cheetah: 'lineare Schichten unter Verschlüsselung, ohne Rotationen',
      sirnn: 'Kürzen und Nachschlagen in Tabellen',
      ferret: 'Millionen vergesslicher Übertragungen aus wenigen',
      bumblebee: 'Matrixprodukte zweier Geheimnisse',
    },
  },

  notices: {
    again: {
      owner: 'Ihr Raum ist noch offen: Derselbe Link geht wieder.',
      client: 'Verbinden Sie sich mit demselben Link noch einmal.',
      byText: {
        owner: 'Ihr Raum ist noch offen, mit einem neuen Link: Jeder gilt für eine Verbindung.',
        client: 'Dieser Link galt für eine Verbindung: Bitten Sie den Besitzer um einen neuen Link.',
      },
    },
    refusals: {
      noSuchRoom: {
        title: 'Es gibt keinen Raum mit diesem Code.',
        text: 'Vielleicht ist der Link vertippt oder abgeschnitten, oder der Besitzer hat den Tab geschlossen. Bitten Sie ihn noch einmal um den Link.',
      },
      noSuchCode: {
        title: 'Es gibt keinen Raum mit diesem Code.',
        text: 'Ein Code lebt zehn Minuten und geht einmal. Vergleichen Sie ihn mit dem der anderen Person oder bitten Sie um den, den sie jetzt sieht.',
      },
      roomFull: {
        title: 'Dieser Raum ist voll.',
        text: 'In einen Raum passen zwei, und jemand anders ist darin. Bitten Sie den Besitzer um einen neuen Link oder versuchen Sie es, wenn die beiden fertig sind.',
      },
      rate: { title: 'Zu viele Versuche.', text: 'Warten Sie eine Minute und versuchen Sie es dann noch einmal.' },
      busy: {
        title: 'Der Vermittlungsserver ist voll.',
        text: 'Er hält so viele Räume, wie er kann. Versuchen Sie es in ein paar Minuten noch einmal.',
      },
      timeout: {
        title: 'Der Vermittlungsserver antwortet nicht.',
        text: 'Prüfen Sie, ob er läuft und ob dieses Gerät im Netz ist, und versuchen Sie es dann noch einmal.',
      },
      malformed: {
        title: 'Der Vermittlungsserver hat die Anfrage abgelehnt.',
        text: 'Laden Sie beide Tabs neu, damit sie dieselbe Version haben.',
      },
    },
    ends: {
      authentication: {
        title: 'Die Verbindung ließ sich nicht bestätigen und wurde deshalb beendet.',
        text: 'Der Link war verändert oder unvollständig, oder jemand wollte zwischen die beiden Tabs. Schicken Sie einen neuen Link, auf einem Weg, dem Sie trauen.',
      },
      unreachable: {
        title: 'Die beiden Tabs fanden keinen Weg zueinander.',
        text: 'Sie müssen auf einem Gerät oder in einem Netz sein oder einen TURN-Server benutzen (docs/app.md sagt, wie). Auch ein VPN oder eine Firewall auf einer der Seiten kann im Weg sein: Versuchen Sie es ohne.',
      },
      gone: {
        owner: {
          title: 'Die Person mit dem Bild kam nicht wieder.',
          text: 'Der Tab wurde geschlossen, oder das Netz fiel aus.',
        },
        client: {
          title: 'Der Besitzer ist weg.',
          text: 'Sein Tab wurde geschlossen, oder das Netz fiel aus.',
          again: 'Der Link geht wieder, wenn dieser Tab wiederkommt; sonst bitten Sie den Besitzer um einen neuen.',
        },
      },
      clientLeft: 'Die Person mit dem Bild ist gegangen.',
      clientCancelled: {
        title: 'Die Person mit dem Bild hat abgebrochen.',
        text: 'Niemand hat dadurch etwas erfahren.',
      },
      dismissed: {
        title: 'Der Besitzer hat diesen Tab getrennt.',
        text: 'Antworten, die Sie haben, bleiben hier.',
        again: 'Solange der Raum offen ist, können Sie sich mit demselben Link neu verbinden.',
      },
      roomClosed: {
        title: 'Der Besitzer hat den Raum geschlossen.',
        text: 'Antworten, die Sie haben, bleiben hier. Dieser Link geht nicht mehr: Bitten Sie den Besitzer um einen neuen.',
      },
      limitOfOwner: {
        title: 'Die Grenze des Besitzers ist erreicht.',
        text: 'Der Besitzer erlaubt eine bestimmte Zahl von Antworten, und die sind aufgebraucht. Die Sie haben, bleiben hier. Für mehr bitten Sie den Besitzer um einen neuen Link.',
      },
      roomLost: {
        title: 'Ihr Raum ist weg.',
        text: 'Die Verbindung zum Vermittlungsserver brach ab, und der Raum war nicht wieder zu bekommen. Öffnen Sie einen neuen und schicken Sie dessen Link.',
      },
      finished: 'Die Person mit dem Bild ist fertig.',
      linkUsed: 'Dieser Link wurde schon benutzt.',
      limitReached: {
        title: 'Ihre Grenze ist erreicht.',
        text: (served) =>
          `Das Modell hat ${served === 1 ? 'einmal' : `${served} Mal`} geantwortet, und der Raum ist geschlossen.`,
      },
      stoppedReconnecting: {
        title: 'Nicht verbunden.',
        text: 'Sie haben das Neuverbinden abgebrochen.',
      },
    },
    failures: {
      cancelled: {
        title: 'Sie haben abgebrochen.',
        text: 'Weder das Bild noch das Modell wurde verraten.',
      },
      peerAborted: {
        owner: 'Die Person mit dem Bild hat die Sitzung beendet.',
        client: 'Der Besitzer hat die Sitzung beendet.',
      },
      silent: { owner: 'Das Gegenüber antwortet nicht mehr.', client: 'Das Modell antwortet nicht mehr.' },
      refused: {
        owner: 'Die Person mit dem Bild macht das nicht mit.',
        client: 'Der Besitzer macht das nicht mit.',
      },
      version: {
        title: 'Die beiden Tabs haben verschiedene Versionen.',
        text: 'Laden Sie beide Tabs neu.',
      },
      manifest: {
        title: 'Dieses Modell ist nicht zu gebrauchen.',
        owner: 'Wählen Sie ein anderes Modell oder exportieren Sie dieses noch einmal.',
        client: 'Bitten Sie den Besitzer um ein anderes Modell.',
      },
      plan: {
        title: 'Die beiden Tabs sind sich nicht einig, was zu berechnen ist.',
        text: 'Laden Sie beide Tabs neu.',
      },
      altered: 'Eine Nachricht war verändert oder abgeschnitten, deshalb wurde die Sitzung beendet.',
      internal: {
        title: 'In diesem Tab ist etwas schiefgegangen.',
        text: (again) => `${again} Geschieht es wieder, laden Sie diesen Tab neu.`,
      },
    },
    ice: {
      title: 'Die STUN- und TURN-Server sind nicht zu gebrauchen.',
      text: (problem) => `Berichtigen Sie die Adresse dieser Seite oder ice.json. ${problem}`,
    },
    settings: {
      title: 'Der Vermittlungsserver ist nicht zu gebrauchen.',
      text: (problem) => `Berichtigen Sie die Adresse dieser Seite oder settings.json. ${problem}`,
    },
    model: {
      reloaded: {
        title: 'Dieser Tab wurde neu geladen.',
        text: 'Wählen Sie Ihr Modell noch einmal: Der Link, den Sie verschickt haben, bleibt derselbe.',
        byText:
          'Wählen Sie Ihr Modell noch einmal: Dann gibt es einen neuen Link anstelle dessen, den Sie verschickt haben.',
      },
      missingFile: {
        title: 'Eine Datei fehlt.',
        text: 'Ein Modell ist eine .blindsight-Datei, oder drei: manifest.json, weights.json und weights.bin. Wählen Sie alle drei zusammen.',
      },
      cannotHide: {
        title: 'Dieses Modell kann seine Punktzahlen nicht verbergen.',
        text: 'Dafür hat es zu viele Klassen. Öffnen Sie einen Raum, wenn andere alle Punktzahlen erfahren dürfen, oder wählen Sie ein anderes Modell.',
      },
      noBundle: {
        title: 'Diese .blindsight-Datei ist nicht lesbar.',
        text: 'Sie ist beschädigt oder etwas anderes. Holen Sie sie noch einmal, oder legen Sie manifest.json, weights.json und weights.bin ab.',
      },
      notLoaded: {
        title: 'Das Modell konnte nicht geladen werden.',
        text: 'Prüfen Sie die Verbindung zum Server und versuchen Sie es dann noch einmal.',
      },
    },
    images: {
      sample: {
        title: 'Das Beispiel konnte nicht geladen werden.',
        text: 'Prüfen Sie die Verbindung zum Server oder nehmen Sie eine eigene Datei.',
      },
      worker: {
        title: 'Dieser Tab kann gerade keine Bilder lesen.',
        text: 'Ein Teil der App wurde nicht geladen. Laden Sie die Seite neu.',
      },
      file: (name) => `„${name}“`,
      unnamed: 'Dieses Bild',
      notTaken: (file) => `${file} wurde nicht übernommen.`,
      busy: 'Das Bild davor wurde gerade beurteilt. Wählen Sie es noch einmal, wenn die Antwort da ist.',
      ended: 'Die Verbindung ist beendet, und dieser Link führt zu keiner weiteren.',
      size: (width, height) => ` (${width} × ${height} Pixel)`,
      stands: (name) => (name ? `Das Bild davor bleibt: „${name}“.` : 'Das Bild davor bleibt.'),
      refused: {
        'not-an-image': {
          title: (file) => `${file} ist kein Bild, das hier gelesen werden kann.`,
          text: 'Wählen Sie eine JPEG-, PNG-, WebP- oder GIF-Datei.',
        },
        heic: {
          title: (file) => `${file} ist ein HEIC-Bild, das die meisten Browser nicht lesen können.`,
          text: 'Wählen Sie ein JPEG: auf dem iPhone Einstellungen, Kamera, Formate, „Maximale Kompatibilität“; oder teilen Sie es als JPEG.',
        },
        svg: {
          title: (file) => `${file} ist eine SVG-Zeichnung und kein Foto.`,
          text: 'Speichern Sie sie zuerst als PNG: Dann hat sie eine feste Größe.',
        },
        tiff: {
          title: (file) => `${file} ist ein TIFF-Bild, das Browser nicht lesen können.`,
          text: 'Speichern Sie es zuerst als JPEG oder PNG.',
        },
        avif: {
          title: (file) => `${file} ist ein AVIF-Bild, dessen Farben jeder Browser anders liest.`,
          text: 'Speichern Sie es zuerst als JPEG, PNG oder WebP.',
        },
        'other-format': {
          title: (file) => `${file} ist ein Bild, dessen Format hier nicht gelesen wird.`,
          text: 'Speichern Sie es zuerst als JPEG oder PNG.',
        },
        metadata: {
          title: (file) => `${file} beginnt mit mehr als 16 MB Metadaten.`,
          text: 'Exportieren Sie das Bild neu, ohne Metadaten, und wählen Sie es noch einmal.',
        },
        damaged: {
          title: (file) => `${file} ist beschädigt oder abgeschnitten.`,
          text: 'Kopieren oder laden Sie es noch einmal, oder wählen Sie ein anderes.',
        },
        'too-large': {
          title: (file, size) => `${file} ist zu groß${size}.`,
          text: 'Mehr als 100 Megapixel passen nicht in den Speicher eines Tabs. Wählen Sie ein kleineres; das Modell sieht es ohnehin stark verkleinert.',
        },
      },
    },
  },
};
