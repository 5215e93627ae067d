/** The app in English. What has values in it is a function; numbers come formatted (ui/format.ts). */

const plural = (count: number, one: string, many: string): string => (count === 1 ? one : many);

export const en = {
  language: 'Language',

  app: {
    incomplete: {
      title: 'A part of the app could not be loaded.',
      text: 'The server may be down, or have a newer version. Reload this page, then try again.',
    },
    backToStart: 'Back to start',
    cancel: 'Cancel',
    close: 'Close',
    share: 'Share',
    leave: 'Leave',
    thisTab: 'This tab',
    howItWorks: 'How it works',
    youHaveTheImage: 'You have the image',
    youHaveTheModel: 'You have the model',
    detailsOfModel: 'Details: the model',
    detailsOfCost: 'Details: what it costs, step by step',
    leaving: {
      title: 'Leave?',
      owner: 'Your room closes, and its link stops working.',
      client:
        'The connection ends, and the answers on this page go. The same link works again while the owner’s room is open.',
      clientByText:
        'The connection ends, and the answers on this page go. A link serves one connection: for another one, ask the owner for a new link.',
      stay: 'Stay',
    },
    notLoaded: (what: string) => `${what}: not loaded, reload this page`,
  },

  unsupported: {
    title: 'This browser cannot run Blindsight.',
    lacks: 'It lacks:',
    advice:
      'Open this page in a current Chrome, Edge, Firefox or Safari. If it is one, an extension or a setting may have switched the feature off.',
    webrtc: 'WebRTC (the connection between the two tabs)',
    workers: 'Web Workers (the computation beside the page)',
    simd: 'WebAssembly with SIMD (fast arithmetic)',
    offscreenCanvas: 'OffscreenCanvas (decoding of images beside the page)',
    webSocket: 'WebSocket (the introduction by the server)',
  },

  ice: {
    title: 'This link brings servers of its own',
    asks: 'To find the other tab, it asks this one to use:',
    learns:
      'They learn this device’s network address and when you connect, and no picture and no model. Use them if you trust who sent the link.',
    unreadable: 'The list of servers in this address is none that can be used.',
    use: 'Use these servers',
    without: 'Go on without them',
    plainHttp:
      'This page came over plain HTTP: somebody in the network in between could have altered it, and then nothing here is private. Use HTTPS for more than a try in a network that you trust.',
  },
  start: {
    title: 'Classify a picture without showing it.',
    lead: 'One tab has a picture, another has a neural network. Together they find out what is in the picture. Neither sees what the other has. The server only introduces the two tabs: it never gets the picture.',
    alone: 'Try it alone',
    aloneNote: 'Under a minute: both sides on this page, the picture’s and the model’s. Nothing to install.',
    doors: 'Or with somebody else: choose your side',
    client: {
      title: 'I have an image',
      learns: 'You learn what is in it.',
      hidden: 'The model’s owner learns that you asked, not what.',
      label: 'Invite link or code from the model’s owner',
      placeholder: 'http://…/#… or K7Q2-M9XF',
      checking: 'Checking…',
      open: 'Open',
    },
    owner: {
      title: 'I have a model',
      learns: 'Others can use it, through a link that you send them.',
      hidden: 'They get answers, never your weights.',
      share: 'Share a model',
    },
    problems: {
      malformed: 'The link you opened is incomplete. Ask for it again, or paste all of it here.',
      empty: 'Paste the link that the owner of the model sent you, or type the code that they see.',
      cut: 'This is not a whole invite link. Copy it again, to its end.',
      neither: 'This is neither a link nor a code. A code has eight letters and digits, such as K7Q2-M9XF.',
      wrongCode: (rest: string) => `That code does not fit: check it with the other person. ${rest}`,
      lastTry: 'That was the last try: the other person sees a new code now.',
      triesLeft: (count: number) => `${count} ${plural(count, 'try', 'tries')} left.`,
      noAnswer: 'The other tab did not answer as it should. Try again, or ask for the link.',
    },
    how: {
      title: 'How can that work?',
      steps: [
        {
          title: 'Split',
          text: 'Every number becomes two random-looking shares whose sum is the number. Each tab holds one, and one alone says nothing.',
        },
        {
          title: 'Compute on shares',
          text: 'The tabs run the whole network on shares. They exchange masked numbers only; you watch every byte.',
        },
        {
          title: 'Reveal the answer',
          text: 'At the end the owner’s tab sends its share of the scores. Only the image’s tab can add the two.',
        },
      ],
    },
    learned:
      'All this holds while both tabs run this program as it is. The owner’s tab learns that somebody asked; the server, that two tabs met; both tabs, each other’s network address.',
    protection: 'What is protected, and what is not',
    shares: {
      alt: 'Two tiles of random dots; where they differ, an eye appears.',
      one: 'one tab’s half',
      other: 'the other tab’s',
      together: 'only both show it',
    },
  },

  handOver: {
    earlier: {
      title: 'This answer belongs to an earlier link.',
      text: 'Each link serves one connection. Send the link that the tab with the model shows now, and bring it the answer to that one.',
    },
    taken: {
      title: 'The answer has arrived.',
      text: 'The tab with the model has it and connects. You can close this one.',
    },
    missing: {
      title: 'No tab here waits for an answer.',
      text: 'Open the answer on the device and in the browser that shows the invite link, or paste it there.',
    },
  },

  alone: {
    title: 'Both sides on one page',
    twoTabs: 'In two tabs',
    clientSide: 'The person with the image',
    ownerSide: 'The person with the model',
    loading: 'A model is fetched and checked; the two sides connect.',
    choose: 'Choose a sample: it is classified right away, and only this side sees it.',
    random: 'random numbers, no picture yet',
    masked: 'masked numbers',
    arrivingBefore: 'Random numbers of the preparation: nothing about a picture yet',
    arrivingNow: 'What arrives, as it arrives',
    maskedCaption: 'All that this side got of the picture: random numbers',
    peek: 'All that the model’s side sees:',
    peekNoise: 'noise',
    nothingYet: 'nothing yet',
    model: 'Model',
    arrived: 'Received',
    picture: 'The picture',
    answer: 'The answer',
    answered: 'Answers given',
    unknown: 'unknown to this side',
    unknownOf: (classes: string) => `one of ${classes} things, unknown which`,
    explanation:
      'You play both people, in one browser. The two sides talk only through the connection in the middle, a real one; two people would use two devices.',
    trusted: 'Both sides are trusted to run this program as it is.',
  },

  client: {
    titles: {
      stopped: 'Stopped',
      reconnecting: 'Reconnecting',
      classifying: 'Classifying',
      ready: 'Ready',
      preparing: 'Preparing',
      connecting: 'Connecting',
    },
    byText: {
      title: 'Now send this answer back',
      text: 'This page has no server that introduces people. The owner pastes the answer, or scans it; then both tabs connect. Keep this one open.',
      label: 'Answer for the owner',
    },
    connecting: {
      title: 'Connecting to the owner’s tab…',
      text: 'Keep both tabs open. When they are connected you see which model is on the other side.',
    },
    connectAgain: 'Connect again',
    yourImage: 'Your image',
    classify: 'Classify privately',
    choose: 'Choose a picture',
    queue: {
      title: (done: number, all: number) => `${done} of ${all} pictures answered`,
      text: 'Each is classified as soon as its random numbers are prepared.',
      begin: 'Begin with “Classify privately”; the others follow by themselves.',
      waiting: 'waits',
      current: 'is next, or being classified',
      left: 'has no answer: the connection has ended',
      pasted: 'pasted picture',
      cost: (seconds: string, bytes: string) => `${seconds}, ${bytes}`,
      mean: (offline: string, online: string, offlineBytes: string, onlineBytes: string) =>
        `On average ${offline} and ${offlineBytes} in preparation, then ${online} and ${onlineBytes}.`,
      stop: 'Leave out the rest',
    },
    another: 'Another picture',
    next: 'Next picture',
    nextNote: 'It is classified as soon as you choose it.',
    waitingNote: 'This picture is next: it is classified when you have connected again.',
    chooseNote: 'The picture stays in this tab. Only masked numbers leave it.',
    asTheModelSeesIt: 'As the model sees it',
    crop: 'The crop that the model classifies',
    ownersNoise: 'All that the owner got of it: noise',
    noiseNumbers: (count: string) => `${count} numbers, all noise`,
    known: {
      title: (count: string) => `This model knows ${count} things`,
      more: (count: string) => `and ${count} more`,
      own: 'These are the model’s own words.',
      others: 'Any other picture gets one of these labels too.',
    },
    picker: {
      choose: 'Choose an image',
      camera: 'Camera',
      orDrop: 'one or several; dropped anywhere or pasted, too',
      orPaste: 'one or several; pasted, too',
      file: 'Image file',
      orSample: 'or try a sample',
      orOwners: 'or try one of the owner’s pictures',
      sample: (label: string) => `Sample: ${label}`,
      hard: 'A hard one: the model takes it for something else.',
      hardMark: 'hard',
    },
    camera: {
      name: 'Camera',
      take: 'Take the picture',
      unavailable: 'The camera is not available: allow it for this page, or choose a file.',
    },
    running: {
      waiting: 'Getting ready…',
      classifying: 'Classifying…',
      preparation: 'Preparation',
      classification: 'Classification',
      reconnecting: 'The connection is being made again; classification starts automatically.',
      preparing:
        'Your picture is not used yet: both sides still trade encrypted random numbers. Then it starts by itself.',
    },
    result: {
      spoken: (label: string, rest: string) => `The answer: ${label}${rest}`,
      unnamedClass: (index: number) => `class ${index}`,
      right: '✓ the sample’s label agrees',
      wrong: (truth: string) => `✗ the sample is labelled ${truth}`,
      labelOnly: 'The owner reveals the label only, and no scores.',
      logit: (value: string) => `logit ${value}`,
      answer: 'answer',
      preparation: 'preparation',
    },
    trust: {
      always: (count: string) => `It always picks one of these ${count} things, whatever the picture shows.`,
      titles: {
        clear: 'A clear answer.',
        likely: 'A likely answer.',
        unclear: 'Little more than a guess.',
        unlike: 'Perhaps none of these things.',
      },
      second: (other: string) => `The second choice is ${other}.`,
      right: (right: number, count: string) =>
        `Of pictures that do show one of the ${count} things, ${right} in 100 such answers are right.`,
      othersToo: (others: number) =>
        `Beware: of pictures of something else, ${others} in 100 get such an answer too, a wrong one.`,
      unlike: (others: number, own: number, count: string) =>
        `The picture resembles none of them much. So do ${others} in 100 pictures of something else, and ${own} in 100 of the ${count} things.`,
      unmeasured: 'How often such an answer is right was not measured for this model.',
    },
    story: {
      titles: { before: 'What will happen', during: 'What is happening', after: 'What just happened' },
      mask: {
        title: 'Mask',
        text: (bytes: string) =>
          `Your tab subtracts random numbers from the picture and sends ${bytes} of noise. The picture itself never leaves.`,
      },
      compute: {
        title: 'Compute on shares',
        text: (turns: string) =>
          `Both tabs run the whole network on shares. They take turns to send, ${turns} times. No single message reveals anything.`,
      },
      reveal: {
        title: 'Reveal',
        scores: 'The owner’s tab sends its share of the scores. Yours adds the two, so only you know the answer.',
        label: 'The scores are compared on shares. Only the winner’s number is revealed, and only to you.',
      },
      follow: 'Follow one number',
    },
    check: {
      run: 'Check against plaintext',
      note: 'Runs the same model unprotected, in this tab. That is possible only because this demonstration’s model is public.',
      running: 'Running the public model in plaintext…',
      same: 'Same answer in plaintext.',
      differs: 'Plaintext says otherwise.',
      tie: 'Plaintext says otherwise: a near tie.',
      difference: 'Largest difference of a score:',
      took: (time: string) => `It took ${time}.`,
      sameFile: 'The owner describes its model exactly as this public one is described.',
      otherFile: 'The owner describes another model than this public one.',
      problems: {
        load: 'The plaintext model could not be loaded.',
        missing: 'The plaintext model is not on this server.',
        run: (detail: string) => `The plaintext model could not run: ${detail}`,
      },
    },
    report: {
      group: 'Take the result away, without the photograph',
      save: 'Save, without photo:',
      picture: 'Picture',
      share: 'Share the picture of it',
    },
    summary: {
      title: 'Classified without being shown',
      labelOnly: 'The owner reveals the label only.',
      noise: 'all that the owner got of it',
      phase: (name: string, time: string, bytes: string, turns: string) => `${name} ${time}, ${bytes}, ${turns} turns`,
      footer: 'Blindsight: two browser tabs, two-party computation, no third party',
    },
  },

  owner: {
    titles: { serving: 'Serving', sharing: 'Share a model' },
    openRoom: 'Open a room',
    fetching: {
      title: 'Fetching a model…',
      text: 'It is checked in this tab. Then a second tab opens for the picture.',
    },
    blocked:
      'No second tab? Then this browser has blocked it: use “Open it in a second tab”. Side by side, the two show both halves of the computation.',
    room: {
      closed: { title: 'The room is closed', text: 'Nobody can connect. A new room has a new link.' },
      connecting: { title: 'Connecting…', text: 'A moment.' },
      none: { title: 'No room is open', text: 'What happened stands above.' },
      opening: { title: 'Opening a room…', text: 'A moment.' },
    },
    lastSession: 'The last session',
    summary: 'Your model and who may ask it',
    yourModel: 'Your model',
    picker: {
      title: 'Which model do you share?',
      text: 'Its weights stay in this tab. The person with the image sees its description and the answers.',
      looking: 'Looking for models…',
      none: 'No model comes with this server.',
      failed: 'The list of models could not be loaded. You can still use files of your own.',
      own: 'Your own model',
      ownTitle: 'Your own',
      drop: 'Drop an exported model here: one .blindsight file, or',
      chooseHere: 'An exported model is one .blindsight file, or',
      together: 'all three together.',
      format: 'It must be a Vision Transformer that this project’s exporter wrote:',
      formatNote: 'The files are read and checked in this tab and uploaded nowhere.',
      choose: 'Choose files',
      files: 'Files of your model',
      loading: 'Loading and checking the model…',
    },
    card: {
      reading: 'Reading its description…',
      unreadable: 'Its description could not be read. It may still work.',
      recognises: (count: string, labels: string) => `Recognises ${count} things: ${labels}.`,
      slider: 'Cheaper, or more accurate?',
      cheapest: 'cheaper',
      mostAccurate: 'more accurate',
      unmeasured: 'accuracy unknown',
      accuracy: 'Accuracy',
      ofTest: (images: string) => `of ${images} test images`,
      ofValidation: 'of validation images',
      looksAt: 'Looks at',
      pixels: (width: number, height: number) => `${width} × ${height} pixels`,
      oneAnswer: 'One answer',
      time: (offline: string, online: string) => `About ${offline} in preparation, then about ${online}`,
      timeNote: 'between two tabs on a machine like this one; a slow connection adds to it',
      cost: (offline: string, online: string, turns: string) =>
        `${offline} in preparation, ${online} and ${turns} turns for the answer`,
      exact: 'Computed exactly',
      theRest: 'the rest as polynomials',
      weights: 'Weights',
      weightsStay: 'which stay in this tab',
      share: 'Share this model',
    },
    byText: {
      title: 'Then take their answer',
      text: 'This page has no server that introduces people. When they open your link, they get an answer for you: paste it here, or scan it with this device.',
      label: 'Their answer',
      connect: 'Connect',
      noAnswer: 'This is not a whole answer. Copy it again, to its end.',
      earlier:
        'This answer belongs to an earlier link. Send the link that stands here, and take the answer to that one.',
    },
    invite: {
      title: 'Send this link to the person with the image',
      text: 'Its part after # is a secret that no server sees. Whoever has it can ask your model, one at a time.',
      link: 'Invite link',
      copy: 'Copy link',
      copied: 'Copied',
      linkCopied: 'Link copied',
      openTab: 'Open it in a second tab',
      local:
        'This link works on this machine only. For another one, open this page by the machine’s address in your network, which the server printed when it started.',
      qr: 'QR code of the invite link',
      otherDevice: 'On another device in the same network',
      otherLink: 'Invite link for another device',
      network: 'This machine’s address',
      otherNote:
        'Both devices must be in one network, such as one Wi-Fi. The page comes over plain HTTP there: its browser offers it no camera, keeps the screen on no longer, and cannot tell whether somebody in that network altered the page. Choosing a file or a sample works.',
    },
    code: {
      title: 'Or let them type a code',
      where: (host: string, time: string) => `at ${host}, once, until ${time}`,
      make: 'Make a code',
      stopped:
        'Wrong codes were typed nine times. Somebody may be guessing, so there is no code now. The link still works.',
      wrong: (left: number) => `A wrong code was typed: ${left} ${plural(left, 'try', 'tries')} left.`,
      usedUp: 'A wrong code was typed three times. This is a new one, the one before is void.',
    },
    samples: {
      show: (count: number) =>
        count === 1
          ? 'Show guests the sample picture that is in your file'
          : `Show guests the ${count} sample pictures that are in your file`,
      note: 'Who has the link gets them, as they are. A change counts from the next guest on.',
    },
    controls: {
      connected: 'Somebody is connected.',
      nobody: 'Nobody can connect.',
      waiting: 'Waiting for somebody to open the link.',
      noRoom: 'No room is open.',
      served: 'Images classified:',
      ofLimit: (limit: number) => `of ${limit}`,
      sessions: (count: number) => `in ${count} ${plural(count, 'session', 'sessions')}`,
      limit: 'Close the room after',
      noLimit: 'no limit',
      images: (count: number) => `${count} ${plural(count, 'image', 'images')}`,
      answer: 'The next client learns',
      allScores: 'all scores',
      labelOnly: 'only the label',
      tooManyClasses: '(too many classes)',
      told: (bits: string, share: string) =>
        `Clients that cheat can have learned ${bits} bits of the weights from these answers and no more: ${share} of them.`,
      stillScores: 'The client that is connected now still learns all scores.',
      stillLabel: 'The client that is connected now still learns only the label.',
      newRoom: 'Open a new room',
      raiseLimit: 'The limit is reached. Raise it to open a room.',
      closeRoom: 'Close the room',
      disconnect: 'Disconnect the client',
    },
  },

  live: {
    view: 'Live view of the computation',
    connection: {
      server: 'Server',
      serverStates: {
        connecting: 'connecting',
        connected: 'connected',
        reconnecting: 'reconnecting',
        offline: 'offline',
        closed: 'not connected',
      },
      ownersTab: 'Owner’s tab',
      clientsTab: 'Client’s tab',
      connecting: 'connecting',
      connected: 'connected',
      direct: 'direct',
      relayed: 'relayed',
      interrupted: 'interrupted',
      retry: (attempt: number, of: number) => `reconnecting, try ${attempt} of ${of}`,
      mayComeBack: 'gone, may come back',
      lost: 'lost',
      closed: 'not connected',
      stopWaiting: 'Stop waiting',
      roundTrip: 'Round trip',
      throughput: 'Throughput',
      throughputHint: 'The most that was seen so far: in a short measurement at the start, and in the preparation.',
      sending: 'sending',
      receiving: 'receiving',
      words: 'Check: the other tab shows the same words',
      wordsHint:
        'Derived from the secret of link or code and both certificates. If the two tabs show different words, somebody is in between.',
    },
    progress: {
      headings: {
        connected: 'Agreeing on the plan',
        preparing: 'Preparing',
        ready: 'Prepared, waiting for an image',
        computing: 'Computing what is no secret',
        classifying: 'Computing on shares',
        done: 'Done',
        interrupted: 'The connection was lost',
        closed: 'The session has ended',
      },
      notes: {
        connected: 'Both tabs compile the same list of steps from the model’s public description, and compare.',
        preparing:
          'The tabs trade encrypted random numbers, so that little is left to do later. No image is involved yet.',
        ready: 'Everything that doesn’t need the image is ready.',
        computing: 'The first blocks of this model are public: this tab runs them by itself, and sends nothing yet.',
        classifying: 'Every number in the network exists as two random-looking shares only, one in each tab.',
        done: 'The owner sent its share of the answer; only the client can add the two.',
        interrupted:
          'The tabs are finding each other again; then the preparation starts anew, with fresh random numbers.',
        closed: 'The tabs are no longer connected.',
      },
      settingUp: 'Exchanging keys (once per pairing)',
      preparingNext: 'Preparing for the next image',
      preparedNext: 'Prepared for the next image',
      left: (time: string) => `, ${time} left`,
      cancelPreparation: 'Cancel the preparation',
      next: (bytes: string, turns: string) =>
        `An answer takes ${bytes} more, and ${turns} turns: times that one tab waits for the other.`,
      sent: '↑ sent',
      received: '↓ received',
      turns: 'turns',
    },
    prediction: {
      hint: 'Read off the plan: turns × half a round trip, bytes over the throughput measured here, and what computing has cost these two tabs so far.',
      took: (measured: string, predicted: string) => `The answer took ${measured}, predicted ${predicted}.`,
      running: (predicted: string) => `Predicted for the answer: ${predicted}.`,
      before: 'These figures are from before the connection ended.',
      about: (total: string, travelling: string, computing: string) =>
        `The answer will take about ${total} on this connection: ${travelling} travelling, ${computing} computing.`,
      atLeast: (travelling: string) => `The answer will take at least ${travelling} of travelling on this connection.`,
      measuring: 'Measuring the connection…',
    },
    masked: {
      region: 'What the owner received',
      titleClient: 'Your picture never left',
      titleOwner: 'What you got of the image',
      yours: 'Yours, only here',
      ownersPart: 'What the owner got',
      yourPicture: 'Your picture, which stays in this tab',
      noise: 'The masked image: noise',
      yourHistogram: 'Your picture: some values are frequent, some rare',
      noiseHistogram: 'On the wire: every value equally often',
      placeholderYours: 'your picture',
      placeholderLeaves: 'what leaves this tab',
      placeholderArrives: 'what arrives here',
      explanation: (bytes: string, bits: number) =>
        `The actual ${bytes} bytes that crossed the wire, drawn as a picture: the image minus random numbers that only the client’s tab knows, modulo 2^${bits}. Every image looks like this, and whoever lacks those numbers cannot tell which one it was.`,
      before:
        'When a classification starts, its first message is drawn here: all that the owner’s tab gets of the image.',
    },
    model: {
      title: (name: string) => `The model: ${name}`,
      recognises: (count: string, labels: string) => `Recognises ${count} things: ${labels}.`,
      facts: (depth: number, heads: number, tokens: string, dim: number, exact: string) =>
        `A Vision Transformer with ${depth} blocks of ${heads} heads, ${tokens} tokens × ${dim} wide. Computed exactly: ${exact}.`,
      cost: (bytes: string, turns: string) => `One answer costs ${bytes} and ${turns} turns.`,
      publicPart: (blocks: number, depth: number) =>
        blocks === depth
          ? 'Only the classifier at its end is secret: your tab computes all before it, by weights that everybody may know.'
          : `Part of it is public: your tab computes the patches and the first ${blocks} of ${depth} blocks itself. The rest is secret.`,
      travelling: (time: string) => `About ${time} of that is travelling on this connection.`,
      allClasses: 'All classes it knows',
      more: (labels: string, count: string) => `${labels} and ${count} more`,
      or: 'or',
      thumbnail: (width: number, height: number) =>
        `It looks at a thumbnail of ${width} × ${height} pixels: one thing, large, in the middle.`,
      photograph: (width: number, height: number) =>
        `It looks at ${width} × ${height} pixels from the middle of a photograph.`,
      squashed: (width: number, height: number) =>
        `It looks at all of a photograph, squeezed into ${width} × ${height} pixels.`,
      exact: (softmax: string, rows: string, gelu: string, tokens: string) =>
        `${softmax} of ${rows} softmax rows, ${gelu} of ${tokens} GELU tokens`,
      withoutGelu: (softmax: string, rows: string) => `${softmax} of ${rows} softmax rows; squares in place of GELU`,
    },
    network: {
      label: 'The network: progress of every part',
      patches: 'Patches',
      classes: 'Classes',
      attention: (block: number) => `Block ${block}, attention`,
      mlp: (block: number) => `Block ${block}, MLP`,
      in: 'in',
      out: 'out',
      block: (block: number) => `Block ${block}`,
      partName: (part: string) => (part === 'in' ? 'the patches' : part === 'out' ? 'the classes' : part),
      choose: (part: string, bytes: string) => `${bytes} for an answer: ${part}. Chart and table keep to it`,
      asIfExact: 'As if everything were exact',
      computing: 'Its plan is computed…',
      bothPrices: (now: string, exact: string, times: string) =>
        `An answer would take ${exact} in place of ${now}: ${times} times as much.`,
      everySquare:
        'Every square is one piece of the picture (a token), in its place: above for each attention head, below for the MLP.',
      everySquareOfHeads: 'Every square is one piece of the picture (a token), in its place, for each attention head.',
      exact: (softmax: string, rows: string, gelu: string, tokens: string) =>
        `computed exactly, which is expensive here (softmax: ${softmax} of ${rows} rows; GELU: ${gelu} of ${tokens} tokens);`,
      withoutGelu: (softmax: string, rows: string) =>
        `computed exactly, which is expensive here (softmax: ${softmax} of ${rows} rows).`,
      other: 'replaced by a polynomial, which costs far less.',
      squareUnits: (count: string) =>
        `Not drawn: a narrow MLP beside attention in each block, whose ${count} units square.`,
      fewerTokens: (block: number, kept: string, tokens: string) =>
        `Block ${block} looks at all tokens that reach it and passes on ${kept} of ${tokens}, at the same places in every picture: the cells of the others are empty from there on.`,
    },
    meters: {
      onlyPart: (part: string) => `Only ${part} is shown.`,
      showAll: 'Show everything',
      region: 'Meters',
      title: 'What it costs, step by step',
      phase: 'Phase',
      phases: { online: 'Answer', offline: 'Preparation', setup: 'Setup' },
      chart: 'The chart shows',
      bytes: 'Bytes',
      time: 'Time',
      toOwner: 'client to owner, up',
      toClient: 'owner to client, down',
      planned: 'planned',
      timeLegend: 'milliseconds in this tab, waiting for the other included',
      hint: 'Point at a bar, or choose a step in the table, to read what runs in it.',
      hintTouch: 'Tap a bar, or a step in the table, to read what runs in it.',
      traffic: (all: string, framing: string, webrtc: string) =>
        `All steps since pairing ${all}, headers of this program’s messages ${framing}. WebRTC’s own count, once a second: ${webrtc}.`,
      nothing: 'Nothing has been sent in this phase yet.',
      total: 'Total',
      columns: {
        order: { name: 'Step', hint: 'In the order of the computation' },
        bytesClientToOwner: { name: 'To owner', hint: 'Bytes from client to owner' },
        bytesOwnerToClient: { name: 'To client', hint: 'Bytes from owner to client' },
        flights: {
          name: 'Turns',
          hint: 'How often one tab has to wait for the other: each turn costs half a round trip',
        },
        elapsedMs: { name: 'Time', hint: 'Milliseconds in this tab, waiting included' },
      },
      about: 'About this step',
      costliest: 'The costliest step:',
      plannedCost: (detail: string, online: string, offline: string) =>
        `${detail}. Planned: ${online} for the answer, ${offline} in preparation.`,
    },
    charts: {
      throughput: 'Throughput',
      peak: 'peak',
      throughputAlt: (now: string, peak: string) =>
        `Throughput over the last half minute of traffic: now ${now} per second, at most ${peak}.`,
      missing: 'The chart could not be loaded. Reload this page.',
      histogramAlt: (label: string) => `Histogram of 64 ranges of byte values. ${label}.`,
      bytesAlt: (steps: number, largest: string, size: string) =>
        `Bytes of ${steps} steps; the largest is ${largest} with ${size}. The table below has every figure.`,
      timeAlt: (steps: number, largest: string, size: string) =>
        `Time of ${steps} steps; the largest is ${largest} with ${size}. The table below has every figure.`,
      empty: 'Nothing is measured in this phase yet.',
    },
    /** What the steps' names (those of timm) mean: within a block, and outside. */
    steps: {
      block: (block: number) => `Block ${block}`,
      within: {
        norm1: 'normalise the tokens',
        'attn.qkv': 'queries, keys and values',
        'attn.scores': 'how much each token attends to each other',
        'attn.softmax': 'softmax of the exact rows',
        'attn.square': 'square instead of softmax, the other rows',
        'attn.units': 'square units beside attention',
        'attn.mix': 'mix the values by attention',
        'attn.proj': 'project and add to the tokens',
        norm2: 'normalise the tokens',
        'mlp.fc1': 'widen the exact tokens',
        'mlp.gelu': 'GELU of the exact tokens',
        'mlp.fc2': 'narrow the exact tokens',
        'mlp.merged': 'one matrix for all other tokens',
      } as Record<string, string>,
      others: {
        input: 'the image, split into two shares',
        patch_embed: 'patches become tokens',
        pool: 'average of the tokens',
        fc_norm: 'normalise the average',
        head: 'scores of the classes',
        'ring-LWE': 'products of encrypted random shares',
        'silent OT': 'random oblivious transfers',
        keys: 'keys, once per pairing',
        handshake: 'versions, description and plan compared',
        'public part': 'first blocks, which are no secret',
      } as Record<string, string>,
    },
    /** By the titles in protocols/layers, which the meters name: what to call them, and a line on each. */
    protocols: {
      'input sharing': {
        title: 'input sharing',
        note: 'The client sends the image minus its random share: uniform noise to the owner.',
      },
      'linear (private weights)': {
        title: 'linear (private weights)',
        note: 'Matrix product with the owner’s weights. Its encrypted part was done in preparation; now it sends nothing.',
      },
      'relative position (private table)': {
        title: 'relative position (private table)',
        note: 'The owner adds constants that depend on where two tokens are to its share; it sends nothing.',
      },
      truncate: {
        title: 'truncate',
        note: 'Drops fraction bits after a product; one oblivious transfer settles the carry.',
      },
      'matrix product': {
        title: 'matrix product',
        note: 'Product of two shared matrices by one-sided Beaver triples: masked differences travel, nothing else.',
      },
      square: { title: 'square', note: 'Square of shared numbers; cheaper than a product.' },
      'truncated square': {
        title: 'truncated square',
        note: 'Square of a shared number over a prime field, once its fraction bits are dropped.',
      },
      'sum of squares': { title: 'sum of squares', note: 'Mean square of each token, for LayerNorm.' },
      'scalar × vector': { title: 'scalar × vector', note: 'Scales each row by its own shared number.' },
      spline: { title: 'spline', note: 'A piecewise polynomial; which piece, only an oblivious transfer knows.' },
      'trigonometric polynomial': {
        title: 'trigonometric polynomial',
        note: 'A function as a sum of waves of its shared argument: each side knows the waves of its own share, and only masked bits travel.',
      },
      exp: { title: 'exp', note: 'exp as a product of two table entries, looked up obliviously.' },
      'ring-LWE': {
        title: 'ring-LWE',
        note: 'The client’s random shares travel encrypted; the owner multiplies them by its weights under encryption and masks what it returns.',
      },
      'silent OT': {
        title: 'silent OT',
        note: 'Random oblivious transfers, grown from a few by pseudorandom trees: well under one bit of traffic each.',
      },
      keys: {
        title: 'keys',
        note: 'Once per pairing: base oblivious transfers and the encryption’s public key.',
      },
      'reveal to the client': {
        title: 'reveal to the client',
        note: 'The owner sends its share of the scores; the client adds its own.',
      },
      argmax: {
        title: 'argmax',
        note: 'Compares the scores on shares; only the winner’s number is revealed.',
      },
      selection: {
        title: 'selection',
        note: 'Which of several values, only shared bits say; one oblivious transfer fetches it.',
      },
      comparison: {
        title: 'comparison',
        note: 'Which of two tables serves a number; neither side learns it.',
      },
      'tokens of the model (private)': {
        title: 'tokens of the model (private)',
        note: 'The class token and registers: the owner’s own, in its share; nothing is sent.',
      },
    } as Record<string, { title: string; note: string }>,
  },

  explain: {
    title: 'Follow one number',
    walk: {
      about: {
        own: 'Your picture in 64 pixels, and a network of one neuron. Both sides run in this tab, and what they run is what two tabs run. Every number is real. Press a pixel of the picture to follow that one.',
        sample:
          'A picture of 64 pixels, and a network of one neuron. Both sides run in this tab, and what they run is what two tabs run. Every number is real. Press a pixel of the picture to follow that one.',
      },
      preparing:
        'Both sides prepare, as two tabs do: keys, random numbers, encrypted products. It takes a few seconds.',
      failed: 'Both sides could not be started here. Reload this page, then try again.',
      region: 'One number, from pixel to score',
      steps: 'Steps',
      step: (number: number, title: string) => `Step ${number}: ${title}`,
      spoken: (number: number, of: number, title: string, sentence: string) =>
        `Step ${number} of ${of}, ${title}: ${sentence}`,
      back: 'Back',
      next: 'Next',
      play: 'Play',
      pause: 'Pause',
      fresh: 'New random numbers',
      anotherPixel: 'Another pixel',
      sides: { client: 'The picture’s side', owner: 'The model’s side' },
      picture: 'The picture',
      scores: 'The scores',
      shares: 'Its shares',
      share: 'Its share',
      unknown: 'unknown',
      travels: 'What travels',
      nothing: 'Nothing.',
      bytes: (bytes: string, pixels: number) => `${bytes} for all ${pixels} pixels`,
      before: 'Before there was a picture',
      together: 'Both shares together',
      nobody: 'Neither side sees this. It stands here so that you can follow.',
      alsoClient: 'So far the picture’s side knows this: it is its pixel.',
      onlyClient: 'Only the picture’s side sees this.',
      details: 'Details of this step',
      sum: (client: string, owner: string, modulus: string, sum: string, scale: string, value: string) =>
        `${client} + ${owner} = ${sum} modulo ${modulus}, and over ${scale} that is ${value}. Adding modulo ${modulus} is like a clock with so many hours.`,
      split: {
        title: 'Split',
        sentence: (pixel: string) => `The pixel, ${pixel}, becomes two shares, and each alone is noise.`,
        text: (pixel: string) =>
          `The marked pixel is ${pixel}. Its side keeps a random number, and sends the pixel minus that number. Each of these two shares alone is noise.`,
        details:
          'The random number was drawn before there was a picture. Whatever arrives fits every pixel: another random number explains it.',
        pixel: 'The pixel',
        own: 'Its share: random',
        arrived: 'Its share: what arrived',
        sent: 'the pixel minus the random number',
      },
      multiply: {
        title: 'Multiply',
        sentence: () => 'Each side multiplies its own share by the model’s weight, and nothing travels.',
        text: (weight: string, bias: string) =>
          `The model multiplies by its weight, ${weight}, and takes ${bias} away. Each side does so with its own share. The picture’s side never sees the weight: its share was multiplied under encryption, before there was a picture.`,
        details: (mask: string) =>
          `The picture’s side had sent its random share encrypted (ring-LWE). The model’s side multiplied it under encryption, and subtracted a random mask, s = ${mask}. So the first share is weight × share − s; the second is weight × share + s, and the constant. The product may be off by one in its last place.`,
        share: 'Its share of the product',
        weight: 'The weight',
        encrypted: 'the random share, encrypted',
        product: 'its product, masked',
      },
      shorten: {
        title: 'Shorten',
        sentence: () => 'Each side drops digits of its share, and one sealed correction sets the result right.',
        text: () =>
          'Products have too many digits, so each side drops the last ones of its share. That may leave the result off by a fixed amount. The picture’s side seals two corrections, and the model’s side can open only the one that is right.',
        details: (bits: number, ring: string, hidden: number) =>
          `Each side drops ${bits} bits. Where the two shares together pass ${ring}, the result would be off by a fixed amount; whether they do depends on the highest bit of both. By oblivious transfer the model’s side gets the one correction that fits its bit. It sent that bit hidden by a random one, as ${hidden}. The other side does not learn which it was, and it opens no other. The last place may be off by one.`,
        hidden: 'its highest bit, hidden',
        sealed: 'two sealed corrections',
        opened: 'Opened',
        which: (number: number) => `correction ${number} of 2`,
      },
      lookUp: {
        title: 'Look up',
        sentence: () =>
          'The model’s side opens one of sixteen sealed boxes, and neither side learns which piece it was.',
        text: () =>
          'A curve cannot be computed on each share alone. So it is cut into 16 pieces, and sealed in 16 boxes, in an order shifted by the first share. The model’s side opens the box that its share names. Neither side learns which piece that was.',
        details: (box: number, hidden: number, opened: string) =>
          `The curve is GELU, as in every Vision Transformer. The leading bits of the model’s share name box ${box}; it sent ${hidden}, which is that number hidden by a random one. In the box: ${opened}, the coefficients of a parabola, each masked. The rest of the share goes into that parabola bit by bit, each hidden by a random choice made before. Then the result is shortened as in the step before.`,
        hidden: 'the number of its box, hidden',
        sealed: '16 sealed boxes',
        opened: 'Opened',
        which: (number: number) => `box ${number} of 16`,
      },
      again: {
        title: 'And so on',
        sentence: (weight: string) => `One more weight, ${weight}, and the result is the score, still in two shares.`,
        text: (weight: string) =>
          `A network repeats these steps, with millions of numbers at once. Here one more weight, ${weight}, ends it. The result is the score. It is still in two shares, and each is noise.`,
        details:
          'Shortening sends nothing here, because fewer bits are needed afterwards. Attention multiplies two numbers that are both shared: there the model’s side opens e, its share minus a random mask ρ, and shares of the cross terms were made before. Most attention rows only square, z² = (c² + 2ce + v) + (o² + u), where u and v are shares of 2cρ.',
        share: 'Its share of the score',
      },
      reveal: {
        title: 'Add up',
        sentence: (score: string) => `Only the picture’s side gets both shares, and adds them: the score is ${score}.`,
        text: (score: string) =>
          `Only now does the model’s side send its share. Only the picture’s side has both, and adds them: the score is ${score}. The model’s side saw noise from the first step to the last.`,
        details:
          'In a network this happens once, for the scores of the classes. Other random numbers change every share and every message. The result stays, but for its last place.',
        score: 'The score',
        sent: 'its share of the score',
      },
    },
    protection: {
      documentTitle: 'What is protected',
      title: 'Two tabs, and what each of them learns',
      source: (file: string) =>
        `Parameters, assumptions and their sources, part by part, are in ${file} of the program’s source.`,
    },
    threats: {
      title: 'What is protected, and what is not',
      table: 'Who learns what',
      who: 'Who',
      learns: 'learns',
      doesNot: 'does not learn',
      parties: [
        {
          who: 'The one with the image',
          learns:
            'the scores of the classes, or only the label where the owner wants that; the model’s public description; the other’s network address',
          not: 'the weights',
        },
        {
          who: 'The one with the model',
          learns: 'that a classification took place, and when; the other’s network address',
          not: 'the picture, and what the answer was',
        },
        {
          who: 'The server',
          learns:
            'that two tabs met, and their network addresses; which bundled model and which of its samples a tab fetches',
          not: 'anything they compute: it relays no data of it',
        },
        {
          who: 'Everyone else',
          learns: 'how much traffic flows between the two',
          not: 'what is in it: WebRTC encrypts it',
        },
      ],
      relies: 'What this relies on',
      reliesOn: [
        'Both sides run this program unchanged, and may study all that they receive (“semi-honest”).',
        'Problems that are thought to be hard: ring-LWE, learning parity with noise, Diffie–Hellman on a curve. About 2¹²⁸ steps to break.',
        'The invite: whoever has it can sit in your peer’s place. Compare the four words on both tabs.',
        'No third party, no dealer, no trusted hardware.',
      ],
      notCovered: 'What is not covered',
      gaps: [
        'A side that deviates from the protocol.',
        'Copying a model by very many questions. The owner can limit how many.',
        'Measuring how long this program’s steps take on your machine.',
        'A server that delivers an altered program: host it yourself, or check what you load.',
        'Mistakes in this code: nobody outside the project has audited it.',
      ],
    },
    papers: {
      title: 'The papers behind it',
      privit: 'which softmax rows and GELU tokens stay exact',
      delphi: 'shares chosen before the image exists',
      cheetah: 'linear layers under encryption, without rotations',
      sirnn: 'truncation and table lookups',
      ferret: 'millions of oblivious transfers from a few',
      bumblebee: 'matrix products of two secrets',
    },
  },

  /** What happened, and what to do next. */
  notices: {
    again: {
      owner: 'Your room is still open: the same link works again.',
      client: 'Connect again with the same link.',
      byText: {
        owner: 'Your room is still open, with a new link: each serves one connection.',
        client: 'This link has served its one connection: ask the owner for a new link.',
      },
    },
    refusals: {
      noSuchRoom: {
        title: 'There is no room with this code.',
        text: 'The link may be mistyped or cut off, or the owner has closed the tab. Ask the owner for the link again.',
      },
      noSuchCode: {
        title: 'There is no room with this code.',
        text: 'A code lives for ten minutes and works once. Check it with the other person, or ask for the one they see now.',
      },
      roomFull: {
        title: 'This room is full.',
        text: 'A room holds two, and somebody else is in it. Ask the owner for a new link, or try again when they are done.',
      },
      rate: { title: 'Too many attempts.', text: 'Wait a minute, then try again.' },
      busy: {
        title: 'The signaling server is full.',
        text: 'It holds as many rooms as it can. Try again in a few minutes.',
      },
      timeout: {
        title: 'The signaling server does not answer.',
        text: 'Check that it is running and that this device is online, then try again.',
      },
      malformed: {
        title: 'The signaling server refused the request.',
        text: 'Reload both tabs, so that they run the same version.',
      },
    },
    ends: {
      authentication: {
        title: 'The connection could not be verified, so it was stopped.',
        text: 'The link was altered or incomplete, or somebody tried to get between the two tabs. Share a new link, over a way you trust.',
      },
      unreachable: {
        title: 'The two tabs found no way to each other.',
        text: 'They must be on one machine or in one network, or use a TURN server (docs/app.md says how). A VPN or a firewall on either side may also be in the way: try without it.',
      },
      gone: {
        owner: {
          title: 'The client did not come back.',
          text: 'Its tab was closed, or the network failed.',
        },
        client: {
          title: 'The owner is gone.',
          text: 'Its tab was closed, or the network failed.',
          again: 'The link works again if that tab comes back; if not, ask the owner for a new one.',
        },
      },
      clientLeft: 'The client has left.',
      clientCancelled: {
        title: 'The client cancelled.',
        text: 'Nobody learned anything from it.',
      },
      dismissed: {
        title: 'The owner disconnected this tab.',
        text: 'Answers that you have stay here.',
        again: 'While the room is open, you can connect again with the same link.',
      },
      roomClosed: {
        title: 'The owner closed the room.',
        text: 'Answers that you have stay here. This link no longer works: ask the owner for a new one.',
      },
      limitOfOwner: {
        title: 'The owner’s limit is reached.',
        text: 'The owner allows a certain number of answers, and they are used up. Those that you have stay here. For more, ask the owner for a new link.',
      },
      roomLost: {
        title: 'Your room is gone.',
        text: 'The connection to the signaling server broke, and the room was not to be had again. Open a new one, and send its link.',
      },
      finished: 'The client has finished.',
      linkUsed: 'This link was used before.',
      limitReached: {
        title: 'Your limit is reached.',
        text: (served: number) =>
          `The model has answered ${served === 1 ? 'once' : `${served} times`}, and the room is closed.`,
      },
      stoppedReconnecting: {
        title: 'Not connected.',
        text: 'You stopped reconnecting.',
      },
    },
    failures: {
      cancelled: {
        title: 'You cancelled.',
        text: 'Neither the image nor the model was revealed.',
      },
      peerAborted: { owner: 'The client ended the session.', client: 'The owner ended the session.' },
      silent: { owner: 'The client did not answer any more.', client: 'The owner did not answer any more.' },
      refused: { owner: 'The client does not serve this.', client: 'The owner does not serve this.' },
      version: {
        title: 'The two tabs run different versions.',
        text: 'Reload both tabs.',
      },
      manifest: {
        title: 'This model cannot be used.',
        owner: 'Choose another model, or export this one again.',
        client: 'Ask the owner for another model.',
      },
      plan: {
        title: 'The two tabs do not agree on what to compute.',
        text: 'Reload both tabs.',
      },
      altered: 'A message was altered or cut off, so the session was stopped.',
      internal: {
        title: 'Something went wrong in this tab.',
        text: (again: string) => `${again} If it happens again, reload this tab.`,
      },
    },
    ice: {
      title: 'The STUN and TURN servers cannot be used.',
      text: (problem: string) => `Correct the address of this page, or ice.json. ${problem}`,
    },
    settings: {
      title: 'The signaling server cannot be used.',
      text: (problem: string) => `Correct the address of this page, or settings.json. ${problem}`,
    },
    model: {
      reloaded: {
        title: 'This tab was reloaded.',
        text: 'Choose your model again: the link that you sent stays the same.',
        byText: 'Choose your model again: then there is a new link, in place of the one that you sent.',
      },
      missingFile: {
        title: 'A file is missing.',
        text: 'A model is one .blindsight file, or three: manifest.json, weights.json and weights.bin. Choose all three together.',
      },
      cannotHide: {
        title: 'This model cannot hide its scores.',
        text: 'It has too many classes for that. Open a room if clients may learn all scores, or choose another model.',
      },
      noBundle: {
        title: 'This .blindsight file cannot be read.',
        text: 'It is damaged, or something else. Get it once more, or drop manifest.json, weights.json and weights.bin instead.',
      },
      notLoaded: {
        title: 'The model could not be loaded.',
        text: 'Check the connection to the server, then try again.',
      },
    },
    images: {
      sample: {
        title: 'The sample could not be loaded.',
        text: 'Check the connection to the server, or use a file of your own.',
      },
      worker: {
        title: 'This tab cannot decode images now.',
        text: 'A part of the app did not load. Reload this page.',
      },
      file: (name: string) => `“${name}”`,
      unnamed: 'This picture',
      notTaken: (file: string) => `${file} was not taken.`,
      busy: 'The picture before it was being classified. Choose it again after the answer.',
      ended: 'The connection has ended, and this link does not lead to another.',
      size: (width: string, height: string) => ` (${width} × ${height} pixels)`,
      stands: (name: string | undefined) =>
        name ? `The picture before it stays: “${name}”.` : 'The picture before it stays.',
      refused: {
        'not-an-image': {
          title: (file: string, _: string) => `${file} is not a picture that can be read here.`,
          text: 'Choose a JPEG, PNG, WebP or GIF file.',
        },
        heic: {
          title: (file: string, _: string) => `${file} is a HEIC picture, which most browsers cannot read.`,
          text: 'Choose a JPEG: on an iPhone, Settings, Camera, Formats, “Most Compatible”; or share it as a JPEG.',
        },
        svg: {
          title: (file: string, _: string) => `${file} is an SVG drawing, not a photograph.`,
          text: 'Save it as a PNG first: its size is then fixed.',
        },
        tiff: {
          title: (file: string, _: string) => `${file} is a TIFF picture, which browsers cannot read.`,
          text: 'Save it as a JPEG or PNG first.',
        },
        avif: {
          title: (file: string, _: string) =>
            `${file} is an AVIF picture, whose colours every browser decodes in its own way.`,
          text: 'Save it as a JPEG, PNG or WebP first.',
        },
        'other-format': {
          title: (file: string, _: string) => `${file} is a picture of a kind that is not read here.`,
          text: 'Save it as a JPEG or PNG first.',
        },
        metadata: {
          title: (file: string, _: string) => `${file} starts with more than 16 MB of metadata.`,
          text: 'Export the picture anew, without metadata, then choose it again.',
        },
        damaged: {
          title: (file: string, _: string) => `${file} is damaged or cut off.`,
          text: 'Copy or download it again, or choose another one.',
        },
        'too-large': {
          title: (file: string, size: string) => `${file} is too large${size}.`,
          text: 'More than 100 megapixels do not fit into a tab’s memory. Choose a smaller one; the model sees it much reduced anyway.',
        },
      },
    },
  },
};
