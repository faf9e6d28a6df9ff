//! A small machine for compiled filters, and packets that take its programs down their branches.
//!
//! Two texts of one meaning need not compile to one program: `portrange 5-5` is two comparisons and `port 5` is one.
//! [`same_meaning`] then runs both on packets that are made while the first program runs: at a comparison the packet is
//! changed, or left alone, by the fall of a coin. So the packets come by every test of the program, which random bytes
//! would not.
//!
//! The instructions are those of the BSD packet filter that libpcap's compiler uses for Ethernet.

/// One instruction, as `tcpdump -ddd` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jt: u8,
    pub(crate) jf: u8,
    pub(crate) k: u32,
}

/// The program of one instruction that matches no packet.
pub(crate) const REJECT: Instruction = Instruction { code: 0x06, jt: 0, jf: 0, k: 0 };

/// The first field is the number of instructions, then follow four numbers for each.
pub(crate) fn program(text: &str) -> Vec<Instruction> {
    text.lines()
        .skip(1)
        .map(|line| {
            let numbers: Vec<u32> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
            let [code, jt, jf, k] = numbers[..] else { panic!("{line:?} is no instruction") };
            Instruction { code: code as u16, jt: jt as u8, jf: jf as u8, k }
        })
        .collect()
}

/// Whether both programs give every packet tried the same answer; the error is a packet that they differ on.
pub(crate) fn same_meaning(one: &[Instruction], other: &[Instruction]) -> Result<(), Vec<u8>> {
    const PACKETS: usize = 400;
    let mut coin = Coin(0x9e37_79b9_7f4a_7c15);
    for i in 0..PACKETS {
        let mut packet = vec![0; 128];
        // An IPv4 header without options, so that loads behind it stay inside the packet.
        packet[14] = 0x45;
        packet[18] = 0x45;
        run(if i % 2 == 0 { one } else { other }, &mut packet, Some(&mut coin));
        if run(one, &mut packet, None) != run(other, &mut packet, None) {
            return Err(packet);
        }
    }
    Ok(())
}

struct Coin(u64);

impl Coin {
    fn toss(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// What the program returns for the packet; a `coin` changes the packet on the way.
fn run(program: &[Instruction], packet: &mut [u8], mut coin: Option<&mut Coin>) -> u32 {
    let (mut a, mut x) = (0_u32, 0_u32);
    let mut memory = [0_u32; 16];
    // Where the accumulator came from: offset, bytes.
    let mut loaded: Option<(usize, usize)> = None;
    let mut pc = 0;
    loop {
        let Instruction { code, jt, jf, k } = program[pc];
        pc += 1;
        let operand = if code & 0x08 == 0 { k } else { x };
        match code {
            // ld: word, half word, byte; at an absolute or an indexed place
            0x20 | 0x28 | 0x30 | 0x40 | 0x48 | 0x50 => {
                let bytes = match code & 0x18 {
                    0x00 => 4,
                    0x08 => 2,
                    _ => 1,
                };
                let at = k.wrapping_add(if code & 0x40 == 0 { 0 } else { x }) as usize;
                let Some(field) = packet.get(at..at + bytes) else { return 0 };
                a = field.iter().fold(0, |value, byte| value << 8 | u32::from(*byte));
                loaded = Some((at, bytes));
            }
            0x00 => a = k,
            0x80 => a = packet.len() as u32,
            0x60 => a = memory[k as usize],
            0x01 => x = k,
            0x61 => x = memory[k as usize],
            0xb1 => x = u32::from(packet[k as usize] & 0xf) * 4,
            0x02 => memory[k as usize] = a,
            0x03 => memory[k as usize] = x,
            0x07 => x = a,
            0x87 => a = x,
            0x04 | 0x0c => a = a.wrapping_add(operand),
            0x14 | 0x1c => a = a.wrapping_sub(operand),
            0x54 | 0x5c => a &= operand,
            0x44 | 0x4c => a |= operand,
            0x05 => pc += k as usize,
            // jeq, jgt, jge, jset
            0x15 | 0x25 | 0x35 | 0x45 => {
                if let (Some(coin), Some((at, bytes))) = (coin.as_deref_mut(), loaded)
                    && at != 14
                    && coin.toss(3) > 0
                {
                    let near = k.wrapping_add(coin.toss(8) as u32 / 6).wrapping_sub(coin.toss(8) as u32 / 6);
                    packet[at..at + bytes].copy_from_slice(&near.to_be_bytes()[4 - bytes..]);
                    a = near;
                }
                let yes = match code {
                    0x15 => a == k,
                    0x25 => a > k,
                    0x35 => a >= k,
                    _ => a & k != 0,
                };
                pc += usize::from(if yes { jt } else { jf });
            }
            0x06 => return k,
            _ => panic!("{code:#04x} is no instruction that filters use"),
        }
    }
}
