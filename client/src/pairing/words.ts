/** 256 words, one for each byte: short, concrete, and told apart when read out. */
export const words: readonly string[] = `
  acorn actor album alley amber anchor apple apron arrow atlas attic autumn bacon badge bagel bamboo banjo barley
  basil basket beach beacon beaver bell berry bicycle birch bishop blanket blossom boat bonfire book bottle branch
  brass bread brick bridge broom brush bucket button cabin cactus camel candle canoe canvas captain carpet castle
  cedar cello chain chalk cheese cherry chess chimney cinema circus clay clock cloud clover coast cobalt coffee
  comet compass copper coral cotton cradle crane crayon cricket crystal cup curtain daisy dance dawn desert diary
  dolphin domino donkey door dragon drum dune eagle earth echo elbow elephant elm ember engine fabric falcon farm
  feather fern ferry fiddle field fig fire flag flute forest fossil fountain fox frost galaxy garden garlic gate
  ginger glacier glass globe glove goat gold grape gravel guitar hammer harbor harp hazel helmet heron hill honey
  horse hotel iceberg igloo ink island ivory jacket jasmine jelly jewel jungle kayak kettle kite kiwi ladder
  lagoon lake lamp lantern laurel lemon leopard letter library lily linen lizard llama lobster lotus magnet mango
  maple marble market meadow melon meteor mill mint mirror monkey moon moss motor mountain mushroom needle nest
  nickel night north nutmeg oak oasis ocean olive onion opal orange orchid organ otter owl oyster paddle palace
  panda paper parrot peach pearl pepper piano pigeon pillow pine planet plum pocket pond poppy potato prairie
  pumpkin puzzle quartz quill rabbit radio rain raven ribbon river robin rocket saddle saffron salmon sandal
  scarf shell silver sparrow spoon summer sunset tiger tulip turtle velvet violin walnut winter
`
  .trim()
  .split(/\s+/);
